/** People with keys and certificates under one administrator CA, and requests for them to decide on. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { loadPolicies } from '../../../src/config/policies.ts';
import { KEY_ALGORITHMS, SIGNATURE_ALGORITHMS } from '../../../src/crypto/algorithms.ts';
import { parsePkcs8 } from '../../../src/crypto/pkcs8.ts';
import type { PrivateKey } from '../../../src/crypto/private-key.ts';
import { keyIdentifierSha1, spkiSm3 } from '../../../src/crypto/spki.ts';
import type { ActionName } from '../../../src/domain/action.ts';
import {
  DECISION_SCHEMA,
  decisionBytes,
  type DecisionBody,
  type DecisionName,
  type SignedDecision,
} from '../../../src/domain/approval/decision.ts';
import { REQUEST_SCHEMA, requestDigest, type ApprovalRequest } from '../../../src/domain/approval/request.ts';
import { actionRule } from '../../../src/domain/action.ts';
import { personSubject } from '../../../src/domain/person-name.ts';
import type { Person, RoleGrant } from '../../../src/domain/person.ts';
import { certificateProfile, policyDigest, quorumPolicy } from '../../../src/domain/policy.ts';
import { planCertificate } from '../../../src/domain/profile.ts';
import { ROLES, type RoleName } from '../../../src/domain/roles.ts';
import { signedTime } from '../../../src/domain/signed-body.ts';
import { assembleCertificate, encodeTbsCertificate, sm3Fingerprint } from '../../../src/x509/certificate.ts';
import { encodeName } from '../../../src/x509/name.ts';

export const POLICIES = loadPolicies(join(import.meta.dirname, '../../../policies'), 'development').set;
export const POLICY_DIGEST = policyDigest(POLICIES);
export const QUORUM_POLICY = quorumPolicy(POLICIES, POLICY_DIGEST);
export const ENVIRONMENT = 'development/kmc-test';
/** The middle of every certificate's validity. */
export const NOW = new Date('2026-11-25T08:00:00Z');

const DAY = 86_400_000;
const NOT_BEFORE = new Date(NOW.getTime() - 30 * DAY);

async function newKey(): Promise<PrivateKey> {
  return parsePkcs8((await KEY_ALGORITHMS.SM2.generateKeyPair()).pkcs8);
}

export interface AdministratorCa {
  readonly name: Buffer;
  readonly key: PrivateKey;
  readonly certificate: Buffer;
}

/** A self-signed CA for people. */
export async function makeAdministratorCa(commonName = 'Administrator CA'): Promise<AdministratorCa> {
  const key = await newKey();
  const name = encodeName([
    { type: 'C', value: 'CN' },
    { type: 'CN', value: commonName },
  ]);
  const issuer = {
    id: 'admin-ca',
    name,
    keyIdentifier: keyIdentifierSha1(key.spki),
    signatureAlgorithm: 'SM2-SM3',
  } as const;
  const plan = planCertificate(certificateProfile(POLICIES, 'administrator-ca'), POLICIES.publication, {
    serialNumber: serial(),
    issuer,
    subject: name,
    spki: key.spki,
    notBefore: NOT_BEFORE,
  });
  const tbs = encodeTbsCertificate(plan);
  const certificate = assembleCertificate(tbs, 'SM2-SM3', SIGNATURE_ALGORITHMS['SM2-SM3'].sign(key, tbs));
  return { name, key, certificate };
}

function serial(): Buffer {
  return Buffer.concat([Buffer.from([0x40]), randomBytes(15)]);
}

export interface Actor {
  readonly person: Person;
  readonly key: PrivateKey;
  /** DER. */
  readonly certificate: Buffer;
}

export interface ActorOptions {
  readonly unit?: string;
  readonly organisation?: string;
  readonly region?: string;
  readonly tokenSerial?: string;
  readonly identityDigest?: string;
  readonly key?: PrivateKey;
  readonly notAfter?: Date;
}

/** A person with one account. A regional role counts in the person's own region. */
export async function makeActor(
  ca: AdministratorCa,
  id: string,
  roles: readonly RoleName[],
  options: ActorOptions = {},
): Promise<Actor> {
  const { unit = `unit-${id}`, organisation = 'kmc', region, tokenSerial, identityDigest } = options;
  const key = options.key ?? (await newKey());
  const named = { id, name: `Person ${id}`, unit, organisation, ...(region === undefined ? {} : { region }) };
  const plan = planCertificate(certificateProfile(POLICIES, 'administrator'), POLICIES.publication, {
    serialNumber: serial(),
    issuer: {
      id: 'admin-ca',
      name: ca.name,
      keyIdentifier: keyIdentifierSha1(ca.key.spki),
      signatureAlgorithm: 'SM2-SM3',
    },
    subject: encodeName(personSubject(named)),
    spki: key.spki,
    notBefore: NOT_BEFORE,
    ...(options.notAfter === undefined ? {} : { notAfter: options.notAfter }),
  });
  const tbs = encodeTbsCertificate(plan);
  const certificate = assembleCertificate(tbs, 'SM2-SM3', SIGNATURE_ALGORITHMS['SM2-SM3'].sign(ca.key, tbs));
  const grants: RoleGrant[] = roles.map((role) =>
    ROLES[role].regional && region !== undefined ? { role, region } : { role },
  );
  const account = {
    certificateSm3: sm3Fingerprint(certificate),
    kid: spkiSm3(key.spki),
    ...(tokenSerial === undefined ? {} : { tokenSerial }),
    status: 'valid' as const,
    notBefore: plan.notBefore,
    notAfter: plan.notAfter,
  };
  const person: Person = {
    ...named,
    status: 'active',
    ...(identityDigest === undefined ? {} : { identityDigest }),
    roles: grants,
    accounts: [account],
  };
  return { person, key, certificate };
}

/** A request as the service would make it, with whatever a test wants otherwise. */
export function makeRequest(op: ActionName, overrides: Partial<ApprovalRequest> = {}): ApprovalRequest {
  const rule = actionRule(op);
  return {
    schema: REQUEST_SCHEMA,
    id: 'rq-1',
    op,
    target: `${rule.target}/t-1`,
    preState: 'READY',
    targetVersion: '17',
    params: {
      ...(rule.regional ? { region: '110000' } : {}),
      ...(rule.atMost === undefined ? {} : { count: '3' }),
    },
    attachments: [],
    policy: `${rule.class}@${POLICIES.version}`,
    policyDigest: POLICY_DIGEST,
    proposer: 'p-proposer',
    reason: 'a test asks for it',
    createdAt: signedTime(NOW),
    expiresAt: signedTime(new Date(NOW.getTime() + 2 * DAY)),
    environment: ENVIRONMENT,
    ...overrides,
  };
}

/** The body of a decision, unsigned. */
export function makeDecision(
  actor: Actor,
  request: ApprovalRequest,
  role: RoleName,
  overrides: Partial<DecisionBody> = {},
): DecisionBody {
  return {
    schema: DECISION_SCHEMA,
    requestDigest: requestDigest(request),
    requestId: request.id,
    decision: 'APPROVE',
    approver: actor.person.id,
    role,
    certSm3: sm3Fingerprint(actor.certificate),
    decidedAt: signedTime(new Date(NOW.getTime() + 60_000)),
    nonce: randomBytes(16).toString('hex'),
    ...overrides,
  };
}

/** The body signed with the actor's key, as a person's own tool does it. */
export function signDecision(actor: Actor, body: DecisionBody): SignedDecision {
  const algorithm = SIGNATURE_ALGORITHMS['SM2-SM3'];
  return {
    body,
    signature: algorithm.toRaw(algorithm.sign(actor.key, decisionBytes(body))).toString('base64'),
    certificate: actor.certificate.toString('base64'),
  };
}

/** A signed decision in one go. */
export function decide(
  actor: Actor,
  request: ApprovalRequest,
  role: RoleName,
  decision: DecisionName = 'APPROVE',
  at: Date = new Date(NOW.getTime() + 60_000),
): SignedDecision {
  return signDecision(actor, makeDecision(actor, request, role, { decision, decidedAt: signedTime(at) }));
}

/** By id, as flows look people up. */
export function peopleMap(...actors: readonly (Actor | Person)[]): Map<string, Person> {
  return new Map(actors.map((one) => ('person' in one ? [one.person.id, one.person] : [one.id, one])));
}
