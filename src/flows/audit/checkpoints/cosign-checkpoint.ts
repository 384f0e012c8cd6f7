import { spkiSm3 } from '../../../crypto/spki.ts';
import { parseNote, verifyNote, witnessName } from '../../../domain/audit/checkpoint.ts';
import type { AuditSource } from '../../../domain/audit/event.ts';
import { auditActor, type Caller, type PersonCaller } from '../../../domain/caller.ts';
import { newId } from '../../../domain/id.ts';
import { KmcError } from '../../../errors.ts';
import { parseCertificate } from '../../../x509/certificate.ts';
import type { CosignatureRow } from '../../ports/audit-cosignatures.ts';
import type { Clock, Database } from '../../ports/database.ts';
import { requireAuditReader } from '../pulls/pull-audit.ts';

export interface CosignatureInput {
  /** Time of the checkpoint, seconds since 1970, as signed. */
  readonly checkpointTime: number;
  /** The signature line of the witness, without its line end. */
  readonly line: string;
  readonly source: AuditSource;
}

/**
 * Takes the cosignature of an auditor for a published checkpoint. It must verify with the key of the certificate that the
 * auditor called with, under the name that is the auditor's as a witness.
 * @returns false when it is there already.
 * @throws KmcError E_FORBIDDEN unless the caller reads the log; E_NOT_FOUND for a checkpoint that was not published;
 * E_SCHEMA, E_SIGNATURE.
 */
export async function cosignCheckpoint(
  ports: { readonly database: Database; readonly clock: Clock },
  input: CosignatureInput,
  caller: Caller,
): Promise<boolean> {
  requireAuditReader(caller);
  if (caller.type !== 'person') throw new KmcError('E_FORBIDDEN', 'A witness is a person with a key of their own.');
  const at = ports.clock.now();
  const row = await verifiedRow(ports.database, input, caller, at);
  return await ports.database.transaction(async (tx) => {
    if (!(await tx.cosignatures.insert(row.cosignature))) return false;
    await tx.audit.append(
      {
        id: row.cosignature.auditEvent,
        action: 'audit.cosign',
        outcome: 'success',
        subjects: [{ type: 'person', id: caller.id }],
        actor: auditActor(caller),
        source: input.source,
        detail: { kid: row.cosignature.spkiSm3, size: row.size },
      },
      at,
    );
    return true;
  });
}

async function verifiedRow(
  database: Database,
  { checkpointTime, line }: CosignatureInput,
  caller: PersonCaller,
  at: Date,
): Promise<{ readonly cosignature: CosignatureRow; readonly size: number }> {
  const { checkpoint, certificate } = await database.read(async ({ audit, people }) => ({
    checkpoint: (await audit.checkpointsAfter(checkpointTime - 1, 1))[0],
    certificate: await people.certificate(caller.certificateSm3),
  }));
  if (checkpoint?.time !== checkpointTime || certificate === undefined) {
    throw new KmcError('E_NOT_FOUND', 'No checkpoint of that time was published.');
  }
  const { spki } = parseCertificate(certificate);
  const name = witnessName(caller.id);
  const note = parseNote(`${checkpoint.note}${line}\n`);
  if (verifyNote(note, { name, signer: 'witness', spki }) === undefined) {
    throw new KmcError('E_SIGNATURE', `The line is no cosignature of ${name} with the key of the caller.`);
  }
  const cosignature: CosignatureRow = {
    checkpointTime,
    name,
    personId: caller.id,
    spkiSm3: spkiSm3(spki),
    line,
    receivedAt: at,
    auditEvent: newId('ev', at),
  };
  return { cosignature, size: checkpoint.size };
}
