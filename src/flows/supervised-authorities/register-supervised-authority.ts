import { spkiSm3 } from '../../crypto/spki.ts';
import { auditText } from '../../domain/audit/detail.ts';
import { newId, requireId } from '../../domain/id.ts';
import { findRegion, REGION_CODE } from '../../domain/region.ts';
import { isRepositoryUrl } from '../../domain/supervised-authority.ts';
import { plainText, requireMembers, textLike, type MemberCheck, type SignedObject } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, sm3Fingerprint, type Certificate } from '../../x509/certificate.ts';
import { ABSENT, type ApprovedAct, type DatabaseHandler, type TargetState } from '../approvals/action-handler.ts';
import type { Instance } from '../instance.ts';
import type { Reader, Transaction } from '../ports/database.ts';
import type { SupervisedAuthorityRow } from '../ports/supervised-authorities.ts';

interface Registration {
  readonly region: string;
  readonly name: string;
  /** base64 of DER. */
  readonly certificate: string;
  readonly crlUrl: string;
  /** Empty where it publishes no certificates. */
  readonly certificatesUrl: string;
}

const NAME_LIMIT = 128;
const url: MemberCheck = (value) =>
  typeof value === 'string' && isRepositoryUrl(value) ? undefined : 'must be a plain http or https address';
const base64: MemberCheck = (value) =>
  typeof value === 'string' && value !== '' && Buffer.from(value, 'base64').toString('base64') === value
    ? undefined
    : 'must be base64 of DER';

const CHECKS: Readonly<Record<keyof Registration, MemberCheck>> = {
  region: textLike(REGION_CODE, 'the code of a region'),
  name: plainText(NAME_LIMIT),
  certificate: base64,
  crlUrl: url,
  certificatesUrl: (value) => (value === '' ? undefined : url(value)),
};

interface Stated {
  readonly registration: Registration;
  readonly certificate: Certificate;
}

type Ports = Pick<Instance, 'policies' | 'clock'>;

/** @throws KmcError E_SCHEMA, E_NOT_FOUND (region), E_DER, E_CERT (no CA, or not in force). */
function statedBy({ policies, clock }: Ports, params: SignedObject): Stated {
  requireMembers<Registration>(params, CHECKS, 'registration of a supervised authority');
  findRegion(policies.regions, params.region);
  const certificate = parseCertificate(Buffer.from(params.certificate, 'base64'));
  if (certificate.basicConstraints?.ca !== true) {
    throw new KmcError('E_CERT', 'The certificate is not that of a certification authority.');
  }
  const now = clock.now();
  if (now < certificate.notBefore || certificate.notAfter < now) {
    throw new KmcError('E_CERT', 'The certificate of the authority is not in force.');
  }
  return { registration: params, certificate };
}

/** State and version of a supervised authority. */
export async function supervisedTarget(reader: Reader, id: string): Promise<TargetState> {
  const row = await reader.supervisedAuthorities.find(id);
  // Imports raise the version, and are no reason to approve the act anew.
  return row === undefined ? ABSENT : { state: row.state, version: '1' };
}

/** @throws KmcError E_STATE, E_CONFLICT. */
async function requireRegistrable(
  reader: Reader,
  id: string,
  { certificate }: Stated,
): Promise<SupervisedAuthorityRow | undefined> {
  const present = await reader.supervisedAuthorities.find(id);
  const kid = spkiSm3(certificate.spki);
  if (present === undefined) {
    const other = await reader.supervisedAuthorities.findByKey(kid);
    if (other === undefined && (await reader.authorities.findByKey(kid)).length === 0) return undefined;
    throw new KmcError('E_CONFLICT', 'The key of that certificate is supervised already, or is one of this service.');
  }
  if (present.state === 'ended')
    throw new KmcError('E_STATE', 'The supervision has ended: register it under a new id.');
  if (!present.certificate.equals(certificate.der)) {
    throw new KmcError('E_CONFLICT', 'The authority has another certificate: a new one is a new authority.');
  }
  return present;
}

async function register(tx: Transaction, act: ApprovedAct, stated: Stated, event: string): Promise<SignedObject> {
  const id = act.request.target.split('/')[1] ?? '';
  const { registration, certificate } = stated;
  const { region, name, crlUrl, certificatesUrl } = registration;
  const present = await requireRegistrable(tx, id, stated);
  const kid = spkiSm3(certificate.spki);
  const row: SupervisedAuthorityRow = {
    id,
    region,
    name,
    subject: certificate.subject.der,
    spkiSm3: kid,
    certificate: certificate.der,
    crlUrl,
    certificatesUrl: certificatesUrl === '' ? undefined : certificatesUrl,
    state: 'active',
    version: 1,
    registeredAt: present?.registeredAt ?? act.at,
    changedAt: act.at,
    lastAuditEvent: event,
  };
  const done =
    present === undefined
      ? await tx.supervisedAuthorities.insert(row)
      : await tx.supervisedAuthorities.replace(row, present.version);
  if (!done) throw new KmcError('E_STALE', 'The authority changed at the same time. Make a new request.');
  await tx.audit.append(
    {
      id: event,
      action: 'supervision.register',
      outcome: 'success',
      subjects: [{ type: 'supervised-authority', id, version: (present?.version ?? 0) + 1 }],
      terms: [{ type: 'request', id: act.request.id }],
      actor: act.actor,
      source: act.source,
      approvals: act.approvals,
      detail: {
        certificate: sm3Fingerprint(certificate.der),
        kid,
        name: auditText(name),
        region,
        request: act.request.id,
      },
    },
    act.at,
  );
  return { authority: id, state: 'active' };
}

/**
 * The act `supervised-authority.register`: puts a certification authority of others under supervision, or changes region,
 * name and addresses of one that is. Nothing but these addresses is ever fetched. Target `supervised-authority/<id>`;
 * parameters `region`, `name`, `certificate` (base64 of DER), `crlUrl`, `certificatesUrl` (or an empty text).
 */
export function registerSupervisedAuthority(ports: Ports): DatabaseHandler {
  return {
    kind: 'database',
    target: supervisedTarget,
    async check(reader, targetId, params) {
      requireId(targetId, 'id of the authority');
      await requireRegistrable(reader, targetId, statedBy(ports, params));
    },
    async prepare(act) {
      const stated = statedBy(ports, act.request.params);
      const event = newId('ev', act.at);
      return (tx) => register(tx, act, stated, event);
    },
  };
}
