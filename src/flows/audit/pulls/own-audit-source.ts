import { encodePem } from '../../../crypto/asn1/pem.ts';
import { formatAuditPolicy, type AuditPolicy } from '../../../domain/audit/policy.ts';
import { parseTilePath } from '../../../domain/audit/tiles.ts';
import { KmcError } from '../../../errors.ts';
import type { AuditSource } from '../../ports/audit.ts';
import type { Database } from '../../ports/database.ts';
import { readAuditTile } from '../tree/read-audit-tile.ts';

const NOTES_AT_ONCE = 1_000;

/** The service's own log as a source of copies. `certificate` is that of the log's key, DER. */
export function ownAuditSource(
  ports: { readonly database: Pick<Database, 'read'> },
  log: { readonly certificate: Buffer; readonly policy: AuditPolicy },
): AuditSource {
  return {
    checkpoint: () => ports.database.read(async ({ audit }) => (await audit.newestCheckpoint())?.note),
    checkpointsAfter: (time) => ports.database.read(({ audit }) => audit.checkpointsAfter(time, NOTES_AT_ONCE)),
    tile: (path) => {
      const tile = parseTilePath(path);
      if (tile === undefined) throw new KmcError('E_NOT_FOUND', 'There is no tile of that name.');
      return ports.database.read(({ audit }) => readAuditTile(audit, tile));
    },
    certificate: async () => encodePem('CERTIFICATE', log.certificate),
    policy: async () => formatAuditPolicy(log.policy),
  };
}
