import type { CeremonyFile } from '../../domain/ceremony/ceremony-file.ts';
import { stepText } from '../../domain/ceremony/ceremony-file.ts';
import { ceremonyTypeRule } from '../../domain/ceremony/ceremony-types.ts';
import type { ToolIdentity } from '../../domain/ceremony/plan.ts';
import { encodeRehearsalFile, rehearsalFile, rehearsedSteps } from '../../domain/ceremony/rehearsal.ts';
import type { KeystoreName } from '../../domain/ceremony/step-kinds.ts';
import { FIRST_REGISTER, type CeremonyRegister } from '../../domain/ceremony/plan.ts';
import type { VerifiedBundle } from '../../domain/ceremony/verify-bundle.ts';
import { newId } from '../../domain/id.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, sm3Fingerprint } from '../../x509/certificate.ts';
import { createKeystore, type CreateKeystorePorts } from '../keystore/create-keystore.ts';
import type { SealedShare } from '../keystore/hand-out-shares.ts';
import { openCeremonyKeystore } from '../keystore/open-ceremony-keystore.ts';
import { transferShare } from '../keystore/transfer-share.ts';
import type { Instance } from '../instance.ts';
import type { CeremonyFolder, CeremonyInputs } from '../ports/ceremony-folder.ts';
import type { KeystoreFiles } from '../ports/keystore.ts';
import { holdCeremony } from './hold-ceremony.ts';
import type { Participant } from './participant.ts';
import { digestsOf, fingerprintsOf, standInPeople, standInRequests, standInRoots } from './rehearsal-stand-ins.ts';

/** Where a rehearsal is held: a new development instance in an empty place, which is thrown away. */
export interface RehearsalPlace {
  readonly service: Instance;
  readonly folder: CeremonyFolder;
  readonly openKeystoreFiles: () => KeystoreFiles;
  readonly tool: ToolIdentity;
}

export interface RehearsalInput {
  /** Linted. */
  readonly file: CeremonyFile;
  readonly inputs: CeremonyInputs;
  readonly progress?: (done: number, total: number, text: string) => void;
}

export interface Rehearsed {
  readonly bundle: VerifiedBundle;
  /** Ids of the steps that would need a real private key, and were not done. */
  readonly notDone: readonly string[];
}

const SOURCE = { node: 'rehearsal' };
const CALLER = { type: 'system', id: 'rehearsal' } as const;

/**
 * Rehearses a ceremony from its file to the verified bundle, with throw-away people and keys (C6). Every name that is
 * signed bears the mark REHEARSAL, and the service takes nothing in that does.
 * @throws KmcError as holdCeremony; E_NOT_FOUND for an input that is missing.
 */
export async function rehearseCeremony(
  place: RehearsalPlace,
  { file, inputs, progress }: RehearsalInput,
): Promise<Rehearsed> {
  if (file.steps.some((step) => step.do === 'restore-keystore')) {
    throw new KmcError(
      'E_STATE',
      'A restore is not rehearsed with other keys: hold it on a copy of the backup, in a home of its own.',
    );
  }
  const { service } = place;
  const { engine } = service;
  const now = service.clock.now();
  const cast = await standInPeople(engine, file, now);
  const isFirst = ceremonyTypeRule(file.type)?.first === true;
  const before = isFirst
    ? { people: cast.participants, register: FIRST_REGISTER, inputs: new Map<string, Buffer>() }
    : await stateBefore(place, file, inputs, cast.participants);
  const recipients = file.inputs.flatMap(({ name, sm3 }) => {
    const standIn = cast.certificates.get(sm3);
    return standIn === undefined ? [] : [[name, standIn] as const];
  });
  const requests = await standInRequests(engine, file, inputs);
  const standIns = new Map([...cast.inputs, ...recipients, ...before.inputs, ...requests]);
  const certificates = fingerprintsOf(cast.certificates);
  const rehearsed = rehearsalFile(file, { certificates, inputs: digestsOf(standIns) }, now);
  const setting = {
    instance: service.id,
    environment: 'development',
    policies: service.policies,
    policyDigest: service.policyDigest,
    tool: place.tool,
  } as const;
  const ports = { ...place, engine, clock: service.clock, network: () => [] };
  const bundle = await holdCeremony(setting, ports, {
    file: rehearsed,
    bytes: encodeRehearsalFile(rehearsed),
    inputs: { read: (name) => standIns.get(name) ?? inputs.read(name) },
    people: before.people,
    ...(isFirst
      ? {}
      : { previous: { digest: file.previous, plan: { instance: service.id }, closing: { after: before.register } } }),
    ...(progress === undefined ? {} : { progress }),
  });
  const done = new Set(rehearsedSteps(file).map((step) => step.id));
  return { bundle, notDone: file.steps.filter((step) => !done.has(step.id)).map((step) => step.id) };
}

interface StateBefore {
  readonly people: readonly Participant[];
  readonly register: CeremonyRegister;
  readonly inputs: ReadonlyMap<string, Buffer>;
}

/** Makes what the ceremonies before this one would have left: keystores, shares, root keys. */
async function stateBefore(
  place: RehearsalPlace,
  file: CeremonyFile,
  inputs: CeremonyInputs,
  participants: readonly Participant[],
): Promise<StateBefore> {
  const { service } = place;
  const { engine, clock, policies } = service;
  const shares = new Map<string, Partial<Record<KeystoreName, SealedShare>>>();
  const create = async (keystore: KeystoreName, ports: CreateKeystorePorts): Promise<void> => {
    await createKeystore(
      ports,
      {
        instance: service.id,
        change: newId('change', clock.now()),
        source: SOURCE,
        threshold: file.quorum.k,
        holders: custodiansOf(file, participants).map(({ name, certificate }) => ({
          person: name,
          certificate: sm3Fingerprint(certificate),
          spki: parseCertificate(certificate).spki,
        })),
        deliver(handedOut) {
          for (const share of handedOut) shares.set(share.person, { ...shares.get(share.person), [keystore]: share });
        },
      },
      CALLER,
    );
  };
  if (file.steps.some((step) => stepText(step, 'keystore') === 'service')) {
    await create('service', { ...service, files: service.keystore.ports.files });
    await admitCustodians(service, participants);
  }
  const files = place.openKeystoreFiles();
  try {
    await create('ceremony', { engine, clock, files });
    const people = participants.map((one) => ({ ...one, shares: shares.get(one.name) ?? {} }));
    const keystore = await openWith(place, files, people);
    try {
      const roots = await standInRoots({ engine, policies, now: clock.now() }, keystore, file, inputs);
      return { people, register: { ...FIRST_REGISTER, ceremonyEpoch: String(keystore.epoch) }, inputs: roots };
    } finally {
      keystore.close();
    }
  } finally {
    files.close();
  }
}

/** Throw-away people as custodians of the throw-away service: it looks at who gets its shares. */
async function admitCustodians({ database, clock }: Instance, participants: readonly Participant[]): Promise<void> {
  const createdAt = clock.now();
  await database.transaction(async (tx) => {
    for (const { name: id, key, certificate } of participants) {
      const person = { id, name: id, unit: id, organisation: id, region: undefined, identityDigest: undefined };
      await tx.people.insert({ ...person, status: 'active', version: 1, createdAt });
      await tx.people.grantRole(id, { role: 'custodian' }, createdAt);
      const { notBefore, notAfter } = parseCertificate(certificate);
      await tx.people.insertAccount({
        certificateSm3: sm3Fingerprint(certificate),
        kid: spkiSm3(key.spki),
        personId: id,
        certificate,
        tokenSerial: undefined,
        notBefore,
        notAfter,
        status: 'valid',
        createdAt,
      });
    }
  });
}

/** The participants who are custodians: they come behind the lead in the order of the seats. */
function custodiansOf(file: CeremonyFile, participants: readonly Participant[]): Participant[] {
  return participants.slice(1, 1 + file.quorum.holders.length);
}

async function openWith({ service }: RehearsalPlace, files: KeystoreFiles, people: readonly Participant[]) {
  const { engine, clock } = service;
  const opening = await openCeremonyKeystore({ engine, files, clock }, { lastEpoch: 1 });
  for (const { key, shares } of people) {
    const { ceremony } = shares;
    if (ceremony === undefined) continue;
    const share = await transferShare(engine, {
      holder: key,
      holderCertificateSm3: Buffer.from(ceremony.certificate.slice('sm3:'.length), 'hex'),
      share: ceremony.ciphertext,
      sessionSpki: opening.session.spki,
    });
    const keystore = await opening.submit(ceremony.person, share);
    if (keystore !== undefined) return keystore;
  }
  throw new KmcError('E_SHARES_FEW', 'The file names fewer custodians than it needs.');
}
