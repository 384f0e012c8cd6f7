/**
 * Facts from people and from outside (A.5): signed attestations of a closed list. Each names the upgrade and the digest
 * of a document that is kept with it; `"KMC-ATTEST-V1" 0x00 || JCS(body)` is signed with SM2 by the person's own key.
 */
import { KmcError } from '../../errors.ts';
import type { Certificate } from '../../x509/certificate.ts';

import { ID } from '../id.ts';
import { ROLE_NAMES, type RoleName } from '../roles.ts';
import {
  oneOf,
  requireMembers,
  signedBytes,
  signedTimeText,
  sm3Text,
  textLike,
  type MemberCheck,
} from '../signed-body.ts';
import { PERSONALLY_SIGNED, verifyPersonalSignature, type PersonallySigned } from '../personal-signature.ts';

export const ATTESTATION_SCHEMA = 'kmc.attestation/1';

export interface AttestationRule {
  /** Who attests it. */
  readonly by: RoleName;
  readonly text: string;
}

/** The closed list. */
export const ATTESTATION_KINDS = {
  'staging-rehearsal': { by: 'ca-owner', text: 'the upgrade was rehearsed on a staging instance' },
  'ceremony-room': { by: 'witness', text: 'the room of the ceremony was as the policy asks' },
  'hsm-self-test': { by: 'system-administrator', text: 'the self-test of the key hardware passed' },
  'independent-verifier': { by: 'ca-operator', text: 'a verifier that is not ours accepts every certificate' },
  'no-open-incident': { by: 'security-administrator', text: 'no incident of severity 1 or 2 is open' },
  'rollback-drill': { by: 'system-administrator', text: 'going back was practised' },
  'capacity-test': { by: 'system-administrator', text: 'twice the planned load of re-enrolment was carried' },
  'evidence-digest': { by: 'auditor', text: 'the snapshot of evidence was verified' },
  'archive-written': { by: 'auditor', text: 'the archive was written twice' },
} as const satisfies Readonly<Record<string, AttestationRule>>;

export type AttestationKind = keyof typeof ATTESTATION_KINDS;
export const ATTESTATION_KIND_NAMES = Object.keys(ATTESTATION_KINDS) as readonly AttestationKind[];
const ATTESTATION_RESULTS = ['PASS', 'FAIL'] as const;

export interface AttestationBody {
  readonly schema: typeof ATTESTATION_SCHEMA;
  readonly kind: AttestationKind;
  /** `root-upgrade/<id>`. */
  readonly target: string;
  /** `sm3:<hex>` of the document; of `evidence-digest` the digest of the snapshot. */
  readonly documentSm3: string;
  readonly result: (typeof ATTESTATION_RESULTS)[number];
  /** Person id. */
  readonly by: string;
  readonly role: RoleName;
  /** `sm3:<hex>` of the certificate DER whose key signs. */
  readonly certSm3: string;
  readonly at: string;
}

export type SignedAttestation = PersonallySigned<AttestationBody>;

const BODY: Readonly<Record<keyof AttestationBody, MemberCheck>> = {
  schema: oneOf([ATTESTATION_SCHEMA]),
  kind: oneOf(ATTESTATION_KIND_NAMES),
  target: textLike(/^root-upgrade\/[a-z0-9][a-z0-9-]{0,63}$/, 'root-upgrade/ and the id of an upgrade'),
  documentSm3: sm3Text,
  result: oneOf(ATTESTATION_RESULTS),
  by: textLike(ID, 'the id of a person'),
  role: oneOf(ROLE_NAMES),
  certSm3: sm3Text,
  at: signedTimeText,
};

/** Checks the form of a body. @throws KmcError E_SCHEMA with pointers. */
export function readAttestationBody(value: unknown): AttestationBody {
  requireMembers<AttestationBody>(value, BODY, 'attestation');
  return value;
}

/** Checks the form; the signature is for `verifyAttestation`. @throws KmcError E_SCHEMA with pointers. */
export function readSignedAttestation(value: unknown): SignedAttestation {
  requireMembers<SignedAttestation>(value, PERSONALLY_SIGNED, 'signed attestation');
  readAttestationBody(value.body);
  return value;
}

/** The bytes that are signed. */
export function attestationBytes(body: AttestationBody): Buffer {
  return signedBytes('attestation', body);
}

/**
 * Checks that the role is the one that attests this, then certificate and signature. Whether the person holds that role is
 * not looked at here.
 * @throws KmcError E_APPROVAL (another role too), and what `verifyPersonalSignature` throws.
 */
export function verifyAttestation(attestation: SignedAttestation): Certificate {
  const { kind, role } = attestation.body;
  const { by } = ATTESTATION_KINDS[kind];
  if (role !== by) throw new KmcError('E_APPROVAL', `${kind} is attested by the role ${by}.`);
  return verifyPersonalSignature('attestation', attestation, 'attestation');
}
