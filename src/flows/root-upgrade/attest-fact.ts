import { canonicalizeSigned } from '../../crypto/jcs.ts';
import { sm3 } from '../../crypto/gm/sm3.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { accountInForce, holdsRoleIn } from '../../domain/person.ts';
import {
  readSignedAttestation,
  verifyAttestation,
  type AttestationBody,
  type SignedAttestation,
} from '../../domain/root-upgrade/attestation.ts';
import { isLive } from '../../domain/root-upgrade/states.ts';
import { readSignedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { audited } from '../audit/events/audited.ts';
import type { Reader } from '../ports/database.ts';
import type { UpgradeAttestationRow } from '../ports/root-upgrades.ts';
import { requireUpgrade, type UpgradePorts } from './upgrade-ports.ts';

/** Octets of a document that is kept with an attestation at most. */
const MOST_DOCUMENT_OCTETS = 1_048_576;
/** The clock of whoever signs may be ahead by so much. */
const CLOCK_SKEW_MS = 300_000;

export interface AttestFactInput {
  readonly upgrade: string;
  readonly attestation: unknown;
  /** The document; none for a snapshot of the evidence, which the service holds. */
  readonly document: Buffer | undefined;
  readonly requestId: string;
}

/** Whoever signed it held the role, with that certificate in force. @throws KmcError E_FORBIDDEN. */
async function requireAttestor(reader: Reader, body: AttestationBody, at: Date): Promise<void> {
  const person = await reader.people.find(body.by);
  const account = person && accountInForce(person, body.certSm3, at);
  if (account !== undefined && person?.status === 'active' && holdsRoleIn(person, body.role)) return;
  throw new KmcError(
    'E_FORBIDDEN',
    `${body.kind} is attested by a person with the role ${body.role}, by a key in force.`,
  );
}

/** The document is the one that was attested. @throws KmcError E_CONFLICT, E_SCHEMA, E_SIZE, E_NOT_FOUND. */
async function requireDocument(
  reader: Reader,
  { fleet }: UpgradePorts,
  body: AttestationBody,
  { upgrade, document }: AttestFactInput,
): Promise<void> {
  if (body.kind === 'evidence-digest') {
    const snapshot = await fleet.snapshot(reader, upgrade);
    if (document === undefined && snapshot?.digest === body.documentSm3) return;
    throw new KmcError('E_NOT_FOUND', 'That is not the digest of the newest snapshot of this upgrade.');
  }
  if (document === undefined) throw new KmcError('E_SCHEMA', 'The document that is attested is missing.');
  if (document.length > MOST_DOCUMENT_OCTETS) throw new KmcError('E_SIZE', 'A document has 1 MiB at most.');
  if (`sm3:${sm3(document).toString('hex')}` !== body.documentSm3) {
    throw new KmcError('E_CONFLICT', 'The document has another digest than the one that was attested.');
  }
}

function rowOf(
  { body, signature, certificate }: SignedAttestation,
  input: AttestFactInput,
  attestedAt: Date,
  at: Date,
): UpgradeAttestationRow {
  return {
    id: newId('att', at),
    upgrade: input.upgrade,
    kind: body.kind,
    passed: body.result === 'PASS',
    documentSm3: body.documentSm3,
    document: input.document,
    body: canonicalizeSigned(body),
    signature,
    certificate: Buffer.from(certificate, 'base64'),
    person: body.by,
    attestedAt,
    recordedAt: at,
    lastAuditEvent: newId('ev', at),
  };
}

/**
 * Takes a signed attestation into an upgrade, with its document. Whoever hands it in, the signature is what counts.
 * @returns its id.
 * @throws KmcError E_SCHEMA, E_APPROVAL (role, target), E_SIGNATURE, E_CERT, E_TIME, E_FORBIDDEN (no such person with that
 * role), E_CONFLICT (document, or the same attestation again), E_NOT_FOUND, E_STATE (the upgrade is at its end), E_SIZE.
 */
export async function attestFact(ports: UpgradePorts, caller: Caller, input: AttestFactInput): Promise<string> {
  const attestation = readSignedAttestation(input.attestation);
  const { body } = attestation;
  const at = ports.clock.now();
  const by = { actor: auditActor(caller), source: { node: ports.node, request: input.requestId } };
  const subjects = [{ type: 'root-upgrade', id: input.upgrade } as const];
  return await audited(ports, { action: 'upgrade.attest', subjects, ...by }, async () => {
    if (body.target !== `root-upgrade/${input.upgrade}`) {
      throw new KmcError('E_APPROVAL', 'The attestation is about another upgrade.');
    }
    verifyAttestation(attestation);
    const attestedAt = readSignedTime(body.at);
    if (attestedAt === undefined || attestedAt.getTime() > at.getTime() + CLOCK_SKEW_MS) {
      throw new KmcError('E_TIME', 'The attestation is from the future: check the clock of whoever signed it.');
    }
    const row = rowOf(attestation, input, attestedAt, at);
    await ports.database.transaction(async (tx) => {
      const { state } = await requireUpgrade(tx, input.upgrade);
      if (!isLive(state)) throw new KmcError('E_STATE', 'The upgrade is at its end.');
      await requireAttestor(tx, body, at);
      await requireDocument(tx, ports, body, input);
      if (!(await tx.rootUpgrades.attest(row))) throw new KmcError('E_CONFLICT', 'This attestation is here already.');
      await tx.audit.append(
        {
          id: row.lastAuditEvent,
          action: 'upgrade.attest',
          outcome: 'success',
          subjects,
          terms: [{ type: 'person', id: body.by }],
          ...by,
          detail: { attested: body.kind, passed: row.passed, digest: body.documentSm3 },
        },
        at,
      );
    });
    return row.id;
  });
}
