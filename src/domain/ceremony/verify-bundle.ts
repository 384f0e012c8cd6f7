/**
 * Verifies a closed bundle from its files alone (C20): plan, approvals, transcript, files and signatures must agree with
 * each other. What the certificates in it are worth is for whoever knows their issuer to say.
 */
import { createDigests } from '../../crypto/digests.ts';
import { KmcError } from '../../errors.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { BUNDLE, isHashed } from './bundle-files.ts';
import { bundleDigest, hashList, readClosing, type Closing } from './closing.ts';
import { planHash, readPlan, type CeremonyPlan } from './plan.ts';
import { planQuorum } from './planned-file.ts';
import { neededAtClose, type SeatName } from './seats.ts';
import { readSeatSignature, type SeatSignature } from './seat-signature.ts';
import { signatureFiles } from './signature-files.ts';
import { deviationList, readTranscript, type ReadTranscript } from './transcript.ts';
import { transcriptFaults } from './verify-transcript.ts';
import { verifySeats } from './verify-signatures.ts';

export interface BundleFinding {
  /** Name in the bundle. */
  readonly file: string;
  /** Of a fault in the transcript: position of the record. */
  readonly record?: number;
  readonly detail: string;
}

/** A bundle whose parts agree. */
export interface VerifiedBundle {
  readonly plan: CeremonyPlan;
  readonly closing: Closing;
  /** `sm3:<hex>`: what the next ceremony states as `previous`. */
  readonly digest: string;
  readonly transcript: ReadTranscript;
  readonly seats: readonly { readonly seat: SeatName; readonly certificate: Certificate }[];
}

/** Exactly one of the two is there. */
export type BundleVerdict =
  | { readonly bundle: VerifiedBundle; readonly findings?: never }
  | { readonly bundle?: never; readonly findings: readonly BundleFinding[] };

export interface VerifyOptions {
  /** Deviations are a fault unless they are expected (C12). */
  readonly allowDeviations?: boolean;
}

type Files = ReadonlyMap<string, Buffer>;

class Findings {
  readonly list: BundleFinding[] = [];

  add(file: string, detail: string, record?: number): void {
    this.list.push({ file, detail, ...(record === undefined ? {} : { record }) });
  }

  /** What `work` returns, or nothing after writing down why it refused. */
  of<T>(file: string, work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof KmcError)) throw error;
      this.add(file, error.message);
      return undefined;
    }
  }
}

/** Every fault of a closed bundle; `files` are its files by name. Never throws for what they hold. */
export function verifyBundle(files: Files, { allowDeviations = false }: VerifyOptions = {}): BundleVerdict {
  const findings = new Findings();
  for (const name of Object.values(BUNDLE)) if (!files.has(name)) findings.add(name, 'the file is missing');
  const plan = findings.of(BUNDLE.plan, () => readPlan(bytesOf(files, BUNDLE.plan)));
  const closing = findings.of(BUNDLE.closing, () => readClosing(bytesOf(files, BUNDLE.closing)));
  if (plan === undefined || closing === undefined) return { findings: findings.list };
  const hash = planHash(plan);
  const transcript = checkTranscript(findings, files, plan, hash);
  checkHashes(findings, files, closing);
  checkClosing(findings, plan, closing, transcript);
  if (!allowDeviations && closing.deviations !== '0') {
    findings.add(BUNDLE.deviations, `the ceremony has ${closing.deviations} deviations`);
  }
  if (createDigests(bytesOf(files, BUNDLE.file)).sm3 !== plan.fileSm3) {
    findings.add(BUNDLE.file, 'the file is not the one that was planned');
  }
  const quorum = findings.of(BUNDLE.plan, () => planQuorum(plan));
  if (quorum === undefined) return { findings: findings.list };
  const demand = { ceremony: plan.ceremony, quorum };
  const approvals = signaturesIn(findings, files, 'approvals/');
  findings.of('approvals', () =>
    verifySeats(approvals, { ...demand, purpose: 'approval', digest: hash, needed: { custodian: quorum.k } }),
  );
  const closed = signaturesIn(findings, files, 'signatures/');
  const digest = bundleDigest(closing);
  const needed = neededAtClose(quorum);
  const seats = findings.of('signatures', () => verifySeats(closed, { ...demand, purpose: 'closing', digest, needed }));
  if (seats !== undefined) checkSignatureFiles(findings, files, closed);
  if (seats === undefined || findings.list.length > 0) return { findings: findings.list };
  return { bundle: { plan, closing, digest, transcript, seats } };
}

function bytesOf(files: Files, name: string): Buffer {
  return files.get(name) ?? Buffer.alloc(0);
}

function checkTranscript(findings: Findings, files: Files, plan: CeremonyPlan, hash: string): ReadTranscript {
  const transcript = readTranscript(bytesOf(files, BUNDLE.transcript), hash);
  const { fault } = transcript;
  if (fault !== undefined) findings.add(BUNDLE.transcript, `record ${fault.record}: ${fault.detail}`, fault.record);
  else {
    if (!deviationList(transcript.records).equals(bytesOf(files, BUNDLE.deviations))) {
      findings.add(BUNDLE.deviations, 'it does not list the deviations of the transcript');
    }
    for (const { record, detail } of transcriptFaults(transcript, plan, files)) {
      findings.add(BUNDLE.transcript, `record ${record}: ${detail}`, record);
    }
  }
  return transcript;
}

function checkHashes(findings: Findings, files: Files, closing: Closing): void {
  const hashed = new Map([...files].filter(([name]) => isHashed(name)).sort(([a], [b]) => (a < b ? -1 : 1)));
  const listed = bytesOf(files, BUNDLE.hashes);
  if (createDigests(listed).sm3 !== closing.hashes) findings.add(BUNDLE.hashes, 'it is not the list that was signed');
  const actual = hashList(hashed).toString('utf8').split('\n');
  const stated = new Set(listed.toString('utf8').split('\n'));
  for (const line of actual) {
    if (!stated.has(line)) findings.add(nameIn(line), 'the file is not the one that was signed, or was added later');
  }
  for (const line of stated) {
    if (line !== '' && !files.has(nameIn(line))) findings.add(nameIn(line), 'the file is missing');
  }
}

/** What stands beside the signatures for other programs says what they say. */
function checkSignatureFiles(findings: Findings, files: Files, signatures: readonly SeatSignature[]): void {
  const expected = new Map(signatures.flatMap(signatureFiles).map(({ name, bytes }) => [name, bytes]));
  for (const [name, bytes] of expected) {
    if (files.get(name)?.equals(bytes) !== true) findings.add(name, 'the file is not that of its signature');
  }
  for (const name of files.keys()) {
    const isKnown = !name.startsWith('signatures/') || name === BUNDLE.closing || expected.has(name);
    if (!isKnown) findings.add(name, 'the file belongs to no signature');
  }
}

function nameIn(line: string): string {
  return line.slice(line.indexOf('  ') + 2);
}

function checkClosing(findings: Findings, plan: CeremonyPlan, closing: Closing, transcript: ReadTranscript): void {
  const facts: readonly (readonly [string, string, string])[] = [
    ['ceremony', closing.ceremony, plan.ceremony],
    ['type', closing.type, plan.type],
    ['environment', closing.environment, plan.environment],
    ['instance', closing.instance, plan.instance],
    ['plan hash', closing.plan, planHash(plan)],
    ['head of the transcript', closing.transcript, transcript.head],
    ['number of records', closing.records, String(transcript.records.length)],
  ];
  for (const [what, stated, actual] of facts) {
    if (stated !== actual) findings.add(BUNDLE.closing, `the ${what} differs from what was signed`);
  }
}

function signaturesIn(findings: Findings, files: Files, folder: string): SeatSignature[] {
  return [...files]
    .filter(([name]) => name.startsWith(folder) && name.endsWith('.json') && name !== BUNDLE.closing)
    .flatMap(([name, bytes]) => findings.of(name, () => readSeatSignature(bytes)) ?? []);
}
