import { nextApplicationStatus, type ApplicationActName } from '../../domain/application.ts';
import { auditText } from '../../domain/audit/detail.ts';
import { newId } from '../../domain/id.ts';
import { requireMembers } from '../../domain/signed-body.ts';
import type { ApplyAct, ApprovedAct, DatabaseHandler } from '../approvals/action-handler.ts';
import { isRevocable, recordRevocation } from '../certificates/record-revocation.ts';
import type { CertificateRow } from '../ports/certificates.ts';
import type { Reader, Transaction } from '../ports/database.ts';
import { applicationIdOf, applicationTarget, changeRow, presentApplication } from './application-act.ts';

/** The certificates of the application that are in force. */
async function certificatesOf(reader: Reader, id: string): Promise<CertificateRow[]> {
  const rows: CertificateRow[] = [];
  for (const certificateId of await reader.applications.certificatesOf(id)) {
    const row = await reader.certificates.find(certificateId);
    if (row !== undefined && isRevocable(row, 'cessationOfOperation')) rows.push(row);
  }
  return rows;
}

async function revokeAll(tx: Transaction, act: ApprovedAct, id: string, event: string): Promise<number> {
  const rows = await certificatesOf(tx, id);
  const { actor, source, approvals, at } = act;
  for (const [place, row] of rows.entries()) {
    const auditEvent = `${event}-${place + 1}`;
    const revocation = { reason: 'cessationOfOperation', invalidityDate: undefined, auditEvent, at } as const;
    await recordRevocation(tx, row, { ...revocation, actor, source, approvals });
  }
  return rows.length;
}

function prepare(name: ApplicationActName, act: ApprovedAct): ApplyAct {
  const id = applicationIdOf(act);
  const event = newId('ev', act.at);
  return async (tx) => {
    const row = await presentApplication(tx, id);
    const status = nextApplicationStatus(name, row.status);
    const detail = { from: row.status, to: status, note: auditText(act.request.reason) };
    await changeRow(tx, act, row, { action: 'application.update', event, status, detail });
    const revoked = name === 'application.end' ? await revokeAll(tx, act, id, event) : 0;
    return { application: id, status, revoked: String(revoked) };
  };
}

/**
 * The acts `application.suspend`, `application.resume` and `application.end`, which revokes its certificates. Target
 * `application/<id>`; no parameters. From then on its requests are refused as those of a stranger.
 */
export function changeApplication(name: ApplicationActName): DatabaseHandler {
  return {
    kind: 'database',
    target: applicationTarget,
    async check(reader, targetId, params) {
      requireMembers(params, {}, `parameters of ${name}`);
      nextApplicationStatus(name, (await presentApplication(reader, targetId)).status);
    },
    prepare: (act) => Promise.resolve(prepare(name, act)),
  };
}
