/** The process that is killed: `<folder> <point>`. It holds the ceremony that is prepared there, and prints its points. */
import { KillPoints } from './kill-points.ts';

const [root = '', at = '0'] = process.argv.slice(2);
const points = new KillPoints(root, Number(at));
// Imported after the calls were replaced.
const { CeremonyStage } = await import('./stage.ts');
const stage = await CeremonyStage.open(root);
points.watch(stage.instance.store);
await stage.perform();
process.stdout.write(String(points.count));
process.exit(0);
