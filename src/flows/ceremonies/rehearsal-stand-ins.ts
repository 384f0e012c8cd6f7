/** Throw-away people, roots and requests for a rehearsal: like the real ones, with other keys and a mark in every name. */
import { KEY_ALGORITHMS } from '../../crypto/algorithms.ts';
import { createDigests } from '../../crypto/digests.ts';
import type { CryptoEngine } from '../../crypto/engine.ts';
import { keyIdentifierSha1 } from '../../crypto/spki.ts';
import { stepText, type CeremonyFile } from '../../domain/ceremony/ceremony-file.ts';
import { personInputName } from '../../domain/ceremony/people.ts';
import { markedUnit, REHEARSAL_MARK } from '../../domain/ceremony/rehearsal.ts';
import { seatsOf } from '../../domain/ceremony/seats.ts';
import { filesOf } from '../../domain/ceremony/step-kinds.ts';
import { newId } from '../../domain/id.ts';
import type { PolicySet } from '../../domain/policy.ts';
import { newSerialNumber } from '../../domain/serial-number.ts';
import { parseCertificate, sm3Fingerprint, type Certificate } from '../../x509/certificate.ts';
import { assembleCsr, encodeCertificationRequestInfo, parseCsr } from '../../x509/csr.ts';
import { encodeName, nameValues, type Name } from '../../x509/name.ts';
import { prepareCertificate } from '../certificates/prepare-certificate.ts';
import { signCertificate } from '../certificates/sign-certificate.ts';
import type { CeremonyKeystore } from '../keystore/ceremony-keystore.ts';
import type { CeremonyInputs } from '../ports/ceremony-folder.ts';
import { makePersonalCertificate } from './make-personal-certificate.ts';
import type { Participant } from './participant.ts';

export interface StandInPeople {
  /** Those in seats. */
  readonly participants: readonly Participant[];
  /** The throw-away certificate (DER) for each real one, by the fingerprint of the real one. */
  readonly certificates: ReadonlyMap<string, Buffer>;
  /** Inputs that the first people bring. */
  readonly inputs: ReadonlyMap<string, Buffer>;
}

/** Somebody with a throw-away key for everybody whom the file names. */
export async function standInPeople(engine: CryptoEngine, file: CeremonyFile, now: Date): Promise<StandInPeople> {
  const participants: Participant[] = [];
  const certificates = new Map<string, Buffer>();
  const inputs = new Map<string, Buffer>();
  const seats = seatsOf(file.quorum);
  const everybody = new Set([...seats.map((seat) => seat.certificate), ...file.people.map((one) => one.certificate)]);
  for (const certificate of everybody) {
    const seat = seats.find((one) => one.certificate === certificate)?.seat;
    const known = file.people.find((person) => person.certificate === certificate);
    const name = known?.name ?? `Rehearsal ${seat ?? ''} ${participants.length + 1}`;
    const id = known?.id ?? `rehearsal-${participants.length + 1}`;
    const { unit = 'Room', organisation = 'Rehearsal' } = known ?? {};
    const key = await engine.generateKeyPair('SM2');
    const person = { id, name, unit: markedUnit(unit), organisation };
    const own = await makePersonalCertificate(
      engine,
      key,
      known?.region === undefined ? person : { ...person, region: known.region },
      now,
    );
    certificates.set(certificate, own);
    if (known !== undefined) inputs.set(personInputName(known), own);
    if (seat === undefined) engine.destroyKey(key);
    else participants.push({ name: id, key, certificate: own, shares: {} });
  }
  return { participants, certificates, inputs };
}

/** The certificates and root keys that the steps need and do not make. */
export async function standInRoots(
  ports: { readonly engine: CryptoEngine; readonly policies: PolicySet; readonly now: Date },
  keystore: CeremonyKeystore,
  file: CeremonyFile,
  inputs: CeremonyInputs,
): Promise<Map<string, Buffer>> {
  const keyOf = new Map(
    file.steps.flatMap((step) => {
      const name = stepText(step, 'issuer-certificate');
      return name === '' ? [] : [[name, stepText(step, 'issuer')] as const];
    }),
  );
  const given = new Set(file.inputs.map((input) => input.name));
  const names = new Set(file.steps.flatMap((step) => filesOf(step, 'certificate')).filter((name) => given.has(name)));
  const made = new Map<string, Buffer>();
  for (const name of names) {
    const keyId = keyOf.get(name) ?? `stand-in-${made.size + 1}`;
    made.set(name, await standInRoot(ports, keystore, keyId, parseCertificate(inputs.read(name))));
  }
  for (const step of file.steps.filter((one) => one.do === 'destroy-root-key')) {
    const keyId = stepText(step, 'key');
    await keystore.generateRootKey({ change: newId('change', ports.now), keyId, algorithm: 'SM2' });
  }
  return made;
}

async function standInRoot(
  { engine, policies, now }: { readonly engine: CryptoEngine; readonly policies: PolicySet; readonly now: Date },
  keystore: CeremonyKeystore,
  keyId: string,
  real: Certificate,
): Promise<Buffer> {
  const algorithm = real.keyAlgorithm;
  const key = await keystore.generateRootKey({ change: newId('change', now), keyId, algorithm });
  const subject = markedName(real.subject);
  const [signatureAlgorithm] = KEY_ALGORITHMS[algorithm].signatures;
  const keyIdentifier = keyIdentifierSha1(key.spki);
  const prepared = prepareCertificate(policies, algorithm === 'RSA' ? 'legacy-root' : 'root', {
    serialNumber: newSerialNumber(),
    issuer: { id: keyId, name: subject, keyIdentifier, signatureAlgorithm },
    subject,
    spki: key.spki,
    notBefore: new Date(now.getTime() - 3_600_000),
  });
  return await signCertificate({ engine, key, algorithm: signatureAlgorithm }, prepared.linted);
}

/** A request with a throw-away key for each one that the steps read. */
export async function standInRequests(
  engine: CryptoEngine,
  file: CeremonyFile,
  inputs: CeremonyInputs,
): Promise<Map<string, Buffer>> {
  const made = new Map<string, Buffer>();
  for (const name of file.steps.map((step) => stepText(step, 'request')).filter((one) => one !== '')) {
    const key = await engine.generateKeyPair('SM2');
    const info = encodeCertificationRequestInfo({
      subject: markedName(parseCsr(inputs.read(name)).subject),
      spki: key.spki,
    });
    const algorithm = KEY_ALGORITHMS.SM2.defaultSignature;
    made.set(name, assembleCsr(info, algorithm, await engine.sign(key, algorithm, info)));
    engine.destroyKey(key);
  }
  return made;
}

function markedName(name: Name): Buffer {
  const [organisation = 'Rehearsal'] = nameValues(name, 'O');
  const [commonName = 'Rehearsal'] = nameValues(name, 'CN');
  return encodeName([
    { type: 'C', value: 'CN' },
    { type: 'O', value: organisation },
    { type: 'OU', value: REHEARSAL_MARK },
    { type: 'CN', value: commonName },
  ]);
}

/** Digests of inputs, as a file names them. */
export function digestsOf(inputs: ReadonlyMap<string, Buffer>): Map<string, string> {
  return new Map([...inputs].map(([name, bytes]) => [name, createDigests(bytes).sm3]));
}

/** Fingerprints of certificates, by the fingerprint that each stands in for. */
export function fingerprintsOf(certificates: ReadonlyMap<string, Buffer>): Map<string, string> {
  return new Map([...certificates].map(([real, der]) => [real, sm3Fingerprint(der)]));
}
