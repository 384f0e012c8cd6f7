import { newId } from '../../domain/id.ts';
import { requireMembers } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { ABSENT, type DatabaseHandler } from '../approvals/action-handler.ts';
import type { Reader } from '../ports/database.ts';
import type { RootUpgradeRow } from '../ports/root-upgrades.ts';
import { recordChange } from './record-change.ts';
import { requireUpgrade } from './upgrade-ports.ts';

async function requireSuspended(reader: Reader, id: string): Promise<RootUpgradeRow> {
  const row = await requireUpgrade(reader, id);
  if (row.suspended) return row;
  throw new KmcError('E_STATE', 'The root upgrade is not suspended.');
}

/** The act `root.resume`: a suspended upgrade goes on. Target `root-upgrade/<id>`; no parameters. */
export function resumeUpgrade(): DatabaseHandler {
  return {
    kind: 'database',
    async target(reader, targetId) {
      const row = await reader.rootUpgrades.find(targetId);
      return row === undefined ? ABSENT : { state: row.state, version: String(row.version) };
    },
    async check(reader, targetId, params) {
      requireMembers<object>(params, {}, 'request to resume an upgrade');
      await requireSuspended(reader, targetId);
    },
    async prepare({ request, actor, source, approvals, at }) {
      const event = newId('ev', at);
      return async (tx) => {
        const row = await requireSuspended(tx, request.target.split('/')[1] ?? '');
        await recordChange(
          tx,
          row,
          { suspended: false },
          {
            actor,
            source,
            approvals,
            action: 'upgrade.resume',
            stated: {},
            detail: { request: request.id, from: row.state },
            request: request.id,
            event,
            at,
          },
        );
        return { upgrade: row.id, state: row.state };
      };
    },
  };
}
