import knexLibrary from 'knex';
import { startPostgres, findPostgres } from './postgres-server.ts';
import { openDatabase } from '../../src/store/database.ts';
const pg = await startPostgres(findPostgres()!, []);
const admin = knexLibrary({ client: 'pg', connection: pg.url('postgres'), pool: { min: 0, max: 1 } });
await admin.raw('create database tpl');
await (await openDatabase({ url: pg.url('tpl') })).close();
const t = async <T>(n: string, f: () => Promise<T>) => {
  const s = performance.now();
  const r = await f();
  console.log(n, (performance.now() - s).toFixed(0));
  return r;
};
for (let i = 0; i < 6; i++) {
  await t('create file', () => admin.raw(`create database f${i} template tpl strategy file_copy`));
  const d = await t('open', () => openDatabase({ url: pg.url('f' + i), connections: 6 }));
  await t('tx', () => d.transaction((tx) => tx.instance.establish('instance-id', 'x')));
  await t('16tx', () =>
    Promise.all(Array.from({ length: 16 }, () => d.transaction((tx) => tx.instance.establish('instance-id', 'x')))),
  );
  await t('close', () => d.close());
  await t('drop', () => admin.raw(`drop database f${i} with (force)`));
}
await admin.destroy();
await t('stop', () => pg.stop());
