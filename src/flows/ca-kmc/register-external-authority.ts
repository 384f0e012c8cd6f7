import { createDigests } from '../../crypto/digests.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import { newId, requireId } from '../../domain/id.ts';
import { requireMembers, signedTime, type MemberCheck, type SignedObject } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, type Certificate } from '../../x509/certificate.ts';
import { ABSENT, type ApplyAct, type ApprovedAct, type DatabaseHandler } from '../approvals/action-handler.ts';
import { authorityRow, insertAuthority } from '../authorities/authority-row.ts';
import type { KeyUse } from '../ports/blocked-keys.ts';
import type { Clock, Reader, Transaction } from '../ports/database.ts';
import type { AuthorityRow } from '../ports/authorities.ts';
import type { CommunicationCertificateRow } from '../ports/communication-certificates.ts';

/** Of an authority that is known here: base64 of DER. */
interface KnownAuthority {
  readonly communicationCertificate: string;
}

interface NewAuthority extends KnownAuthority {
  /** base64 of DER. */
  readonly authorityCertificate: string;
}

interface Registration {
  readonly communication: Certificate;
  readonly authority: Certificate | undefined;
}

/** What an authority may be when a communication certificate is registered for it. */
const KINDS: readonly AuthorityRow['kind'][] = ['issuing', 'external'];

const base64: MemberCheck = (value) =>
  typeof value === 'string' && value !== '' && Buffer.from(value, 'base64').toString('base64') === value
    ? undefined
    : 'must be base64 of DER';

function certificateOf(text: string): Certificate {
  return parseCertificate(Buffer.from(text, 'base64'));
}

function membersOf(params: SignedObject): KnownAuthority | NewAuthority {
  const what = 'registration of a certification authority';
  if (Object.hasOwn(params, 'authorityCertificate')) {
    requireMembers<NewAuthority>(params, { communicationCertificate: base64, authorityCertificate: base64 }, what);
    return params;
  }
  requireMembers<KnownAuthority>(params, { communicationCertificate: base64 }, what);
  return params;
}

/** @throws KmcError E_SCHEMA; E_DER, E_CERT and what reading a certificate refuses. */
function readParameters(params: SignedObject, at: Date): Registration {
  const stated = membersOf(params);
  const communication = certificateOf(stated.communicationCertificate);
  const authority = 'authorityCertificate' in stated ? certificateOf(stated.authorityCertificate) : undefined;
  if (communication.keyAlgorithm !== 'SM2' || communication.keyUsage?.includes('digitalSignature') !== true) {
    throw new KmcError('E_CERT', 'A communication certificate holds an SM2 key for digital signatures.');
  }
  if (authority !== undefined && authority.basicConstraints?.ca !== true) {
    throw new KmcError('E_CERT', 'The authority certificate is not that of a certification authority.');
  }
  for (const { notBefore, notAfter } of [communication, ...(authority === undefined ? [] : [authority])]) {
    if (at < notBefore || notAfter < at)
      throw new KmcError('E_CERT', 'A certificate of the registration is not in force.');
  }
  return { communication, authority };
}

/** Keys that speak for somebody else already. */
const TAKEN: readonly KeyUse['kind'][] = ['blocked', 'device', 'ca-key', 'escrowed', 'managed', 'person'];

/** @throws KmcError E_NOT_FOUND, E_CONFLICT, E_USAGE, E_STATE, E_KEY_BLOCKED. */
async function requireRegistrable(
  reader: Reader,
  id: string,
  { communication, authority }: Registration,
): Promise<void> {
  const uses = await reader.blockedKeys.usesOf(spkiSm3(communication.spki));
  if (uses.some(({ kind }) => TAKEN.includes(kind))) {
    throw new KmcError(
      'E_KEY_BLOCKED',
      'The key of the communication certificate is used here already: make a new one.',
    );
  }
  const present = await reader.authorities.find(id);
  if (present === undefined) {
    if (authority !== undefined) return;
    throw new KmcError('E_NOT_FOUND', 'There is no authority of that id. State its own certificate too.');
  }
  if (authority !== undefined)
    throw new KmcError('E_CONFLICT', 'The authority is known: leave its own certificate out.');
  if (!KINDS.includes(present.kind)) throw new KmcError('E_USAGE', 'That authority asks for no keys.');
  if (present.state === 'revoked') throw new KmcError('E_STATE', 'The authority is revoked.');
}

function communicationRow(
  authorityId: string,
  certificate: Certificate,
  { id, at, auditEvent }: { readonly id: string; readonly at: Date; readonly auditEvent: string },
): CommunicationCertificateRow {
  return {
    id,
    authorityId,
    certificate: certificate.der,
    certificateSm3: createDigests(certificate.der).sm3,
    spkiSm3: spkiSm3(certificate.spki),
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
    state: 'active',
    version: 1,
    registeredAt: at,
    lastAuditEvent: auditEvent,
  };
}

/** The authority as it stands after the registration: new, or known and touched, so that what remembers it looks again. */
async function standingAuthority(tx: Transaction, id: string, { authority }: Registration, at: Date): Promise<number> {
  const present = await tx.authorities.find(id);
  if (present === undefined && authority !== undefined) {
    const row = authorityRow({ id, kind: 'external', state: 'active' }, authority, at);
    await insertAuthority(tx, row);
    return row.version;
  }
  const moved =
    present !== undefined &&
    (await tx.authorities.move(id, { state: present.state, version: present.version }, present.state));
  if (!moved) throw new KmcError('E_STALE', 'The authority changed at the same time. Make a new request.');
  return present.version + 1;
}

async function register(clock: Clock, act: ApprovedAct): Promise<ApplyAct> {
  const id = act.request.target.split('/')[1] ?? '';
  const registration = readParameters(act.request.params, clock.now());
  const { communication } = registration;
  const event = newId('ev', act.at);
  const row = communicationRow(id, communication, { id: newId('comm', act.at), at: act.at, auditEvent: event });
  return async (tx) => {
    await requireRegistrable(tx, id, registration);
    const version = await standingAuthority(tx, id, registration, act.at);
    const earlier = await tx.communicationCertificates.activeOf(id);
    if (earlier !== undefined && !(await tx.communicationCertificates.replace(earlier.id, earlier.version, event))) {
      throw new KmcError('E_STALE', 'The communication certificate changed at the same time. Make a new request.');
    }
    if (!(await tx.communicationCertificates.insert(row))) {
      throw new KmcError('E_CONFLICT', 'That communication certificate, or its key, is registered already.');
    }
    await tx.audit.append(
      {
        id: event,
        action: 'authority.register',
        outcome: 'success',
        subjects: [{ type: 'authority', id, version }],
        terms: [{ type: 'request', id: act.request.id }],
        actor: act.actor,
        source: act.source,
        approvals: act.approvals,
        detail: {
          authority: id,
          certificate: row.certificateSm3,
          kid: row.spkiSm3,
          notAfter: signedTime(row.notAfter),
          notBefore: signedTime(row.notBefore),
          purpose: 'ca-kmc',
          serial: communication.serialNumber,
        },
      },
      act.at,
    );
    return { authority: id, communicationCertificate: row.certificateSm3 };
  };
}

/**
 * The act `authority.register-external`: from now on the authority may ask for keys over GM/T 0014 under that
 * communication certificate, which takes the place of an earlier one. Target `authority/<id>`; parameters
 * `communicationCertificate` and, for an authority that is not known here, `authorityCertificate`.
 */
export function registerExternalAuthority({ clock }: { readonly clock: Clock }): DatabaseHandler {
  return {
    kind: 'database',
    async target(reader, targetId) {
      const row = await reader.authorities.find(targetId);
      return row === undefined ? ABSENT : { state: row.state, version: String(row.version) };
    },
    async check(reader, targetId, params) {
      requireId(targetId, 'id of the authority');
      await requireRegistrable(reader, targetId, readParameters(params, clock.now()));
    },
    prepare: (act) => register(clock, act),
  };
}
