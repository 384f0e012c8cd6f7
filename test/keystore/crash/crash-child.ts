/** The process that is cut: `<scenario> <directory>`. Exits at once when it is done: nothing may come after the change. */
import { KmcError } from '../../../src/errors.ts';
import { CrashSite, FATAL_EXIT, SCENARIOS } from './scenarios.ts';

const [name = '', directory = ''] = process.argv.slice(2);
try {
  await SCENARIOS[name]?.run(new CrashSite(directory));
  process.exit(0);
} catch (error) {
  process.exit(error instanceof KmcError && error.code === 'E_STORAGE' && error.fatal ? FATAL_EXIT : 1);
}
