/** Certificates that a ceremony signs: the same plan gives the same TBSCertificate, whoever makes it (C4, C7). */
import { KEY_ALGORITHMS } from '../../crypto/algorithms.ts';
import type { KeyHandle } from '../../crypto/engine.ts';
import { sm3 } from '../../crypto/gm/sm3.ts';
import { parseSpki, spkiSm3 } from '../../crypto/spki.ts';
import { stepText, type CeremonyStep } from '../../domain/ceremony/ceremony-file.ts';
import { outputFile } from '../../domain/ceremony/bundle-files.ts';
import type { PlannedCertificate } from '../../domain/ceremony/plan.ts';
import { certificateProfile } from '../../domain/policy.ts';
import { isObject, readSignedTime, signedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, type Certificate } from '../../x509/certificate.ts';
import { certificateFindings } from '../../x509/lint/lint-tbs-certificate.ts';
import { encodeName, formatName, type NameAttribute } from '../../x509/name.ts';
import { verifySignedBy } from '../../x509/path/issuer-signature.ts';
import { certificateIssuerOf } from '../authorities/issuing-authority.ts';
import { prepareCertificate, type PreparedCertificate } from '../certificates/prepare-certificate.ts';
import type { ObjectSigner } from '../certificates/sign-checked.ts';
import { signCertificate } from '../certificates/sign-certificate.ts';
import type { CeremonyRun } from './ceremony-run.ts';
import { requireSigned, signProven } from './sign-proven.ts';
import type { Planning, StepResult } from './step-act.ts';

const SERIAL_OCTETS = 16;

/** The serial number of what a step signs: made from the file and the step, so that a plan states it. */
export function stepSerialNumber(planning: Planning, step: CeremonyStep): Buffer {
  const serial = sm3(Buffer.from(`KMC-CEREMONY-SERIAL\0${planning.fileSm3}\0${step.id}`)).subarray(0, SERIAL_OCTETS);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial;
}

/** The beginning of the window: from then on everything that the ceremony signs is valid. */
export function windowStart({ file }: Planning): Date {
  const from = readSignedTime(file.window.from);
  if (from === undefined) throw new KmcError('E_LINT', 'The window of the ceremony has no beginning.');
  return from;
}

/** The Name (DER) of the member `subject` of a step. */
export function stepSubject(step: CeremonyStep): Buffer {
  const subject = step.members['subject'];
  const text = (name: string): string => {
    const value = isObject(subject) ? subject[name] : undefined;
    return typeof value === 'string' ? value : '';
  };
  const attributes: NameAttribute[] = [
    { type: 'C', value: 'CN' },
    { type: 'O', value: text('o') },
    ...(text('ou') === '' ? [] : [{ type: 'OU' as const, value: text('ou') }]),
    { type: 'CN', value: text('cn') },
  ];
  return encodeName(attributes);
}

/** A certificate among the inputs; nothing when the name is an output that does not exist yet. */
export function plannedIssuer(planning: Planning, name: string): Certificate | undefined {
  const bytes = planning.inputs.get(name);
  return bytes === undefined ? undefined : parseCertificate(bytes);
}

export interface SignedSubject {
  /** Name, DER. */
  readonly subject: Buffer;
  /** subjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  readonly keyIdentifier?: Buffer;
}

/** Prepares what an existing CA signs. @throws KmcError E_POLICY, E_LINT, E_CERT. */
export function prepareUnder(
  planning: Planning,
  step: CeremonyStep,
  issuer: Certificate,
  subject: SignedSubject,
): PreparedCertificate {
  const until = stepText(step, 'not-after');
  const notAfter = until === '' ? undefined : readSignedTime(until);
  const facts = {
    serialNumber: stepSerialNumber(planning, step),
    issuer: certificateIssuerOf(stepText(step, 'issuer'), issuer),
    ...subject,
    notBefore: windowStart(planning),
    ...(notAfter === undefined ? {} : { notAfter }),
  };
  const skip = planning.file.skipLints.map((one) => one.lint);
  return prepareCertificate(planning.setting.policies, stepText(step, 'profile'), facts, issuer, skip);
}

/** What the plan says of a prepared certificate, its whole TBSCertificate included. */
export function describePrepared(prepared: PreparedCertificate): PlannedCertificate {
  const { facts } = prepared;
  return {
    profile: prepared.profile,
    serial: facts.serialNumber.toString('hex'),
    issuer: formatName(facts.issuer.name),
    subject: formatName(facts.subject),
    kid: spkiSm3(facts.spki),
    keyAlgorithm: parseSpki(facts.spki).algorithm,
    signatureAlgorithm: facts.issuer.signatureAlgorithm,
    notBefore: signedTime(facts.notBefore),
    notAfter: signedTime(prepared.linted.certificate.notAfter),
    tbs: prepared.linted.certificate.tbs.toString('base64'),
  };
}

/** Compares with the plan, as far as the plan could know. @throws KmcError E_STALE naming the fields that differ. */
function requireAsPlanned(run: CeremonyRun, step: CeremonyStep, prepared: PreparedCertificate): void {
  const planned = run.facts.plan.steps.find((one) => one.id === step.id)?.signs ?? {};
  const actual = describePrepared(prepared);
  const differing = Object.keys(planned).filter((field) => planned[field] !== actual[field]);
  if (differing.length === 0) return;
  throw new KmcError('E_STALE', `What would be signed is not what was approved: ${differing.join(', ')} differ.`);
}

/** How a step that signs a certificate makes it. */
export interface CertificateWork {
  /** Builds and lints it; called twice, and must give the same TBSCertificate. */
  readonly prepare: () => PreparedCertificate;
  readonly key: KeyHandle;
  /** Certificate of the issuer; absent for one that is signed with its own key. */
  readonly issuer?: Certificate;
}

/**
 * Signs a certificate after it was proved with a throw-away key (C7), and writes it. One that was signed and written before
 * the step was cut is the certificate: nothing is signed twice under one serial number.
 * @throws KmcError E_STALE (not what was planned, or it changes), E_LINT, E_INTEGRITY (the result does not hold), E_EXISTS,
 * E_KEY (the key is not that of the issuer).
 */
export async function signAndWrite(
  run: CeremonyRun,
  step: CeremonyStep,
  { prepare, key, issuer }: CertificateWork,
): Promise<StepResult> {
  if (issuer !== undefined && !key.spki.equals(issuer.spki)) {
    throw new KmcError('E_KEY', 'The root key is not that of the certificate.');
  }
  const prepared = prepare();
  requireAsPlanned(run, step, prepared);
  const { kind } = certificateProfile(run.facts.setting.policies, prepared.profile);
  const skip = run.facts.file.skipLints.map((one) => one.lint);
  const look = (der: Buffer, spki: Buffer): Buffer => {
    const certificate = parseCertificate(der);
    const findings = certificateFindings(certificate, kind, issuer === undefined ? { skip } : { issuer, skip });
    if (verifySignedBy(certificate, { spki }) && !findings.some(({ severity }) => severity === 'error')) {
      return certificate.tbs;
    }
    throw new KmcError('E_INTEGRITY', 'A certificate that was just signed does not hold. Stop the ceremony.');
  };
  const build = () => {
    const { linted } = prepare();
    return { tbs: linted.certificate.tbs, sign: (signer: ObjectSigner) => signCertificate(signer, linted) };
  };
  const name = stepText(step, 'out');
  const before = run.leftover(step, name);
  const [algorithm] = KEY_ALGORITHMS[key.algorithm].signatures;
  if (before !== undefined) requireSigned(before, prepared.linted.certificate.tbs, key.spki, { look });
  const der = before ?? (await signProven(run, key, algorithm, { build, look }));
  const file = run.write(name, der);
  const { tbs: _tbs, ...facts } = describePrepared(prepared);
  return { text: `signed ${outputFile(name)}`, files: [file], facts };
}
