import { checkBreakGlass } from './check-break-glass.ts';
import { checkFigures } from './check-figures.ts';
import { checkPeople } from './check-people.ts';
import { Findings, pagesOf, type InvariantResult } from './findings.ts';

export type { InvariantResult } from './findings.ts';
import { parseCertificateList } from '../../x509/crl.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import { DELTA, isShard } from '../../domain/crl-scope.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import { openBlob } from '../keys/open-blob.ts';
import { destroyMaterial, openMaterial } from '../managed-keys/key-material.ts';
import { inspectKeystore } from '../keystore/inspect-keystore.ts';
import { eachRevoked } from '../certificates/each-revoked.ts';
import type { AuthorityRow } from '../ports/authorities.ts';
import type { CertificateRow } from '../ports/certificates.ts';
import type { CrlRow } from '../ports/crls.ts';
import type { Reader } from '../ports/database.ts';
import type { EscrowedKeyRow } from '../ports/escrowed-keys.ts';

type CheckPorts = Pick<Instance, 'database' | 'clock' | 'engine' | 'environmentName' | 'keystore' | 'policies'>;

/** A revocation carries the time at which it began; it is in force, and in the next CRL, once it is stored. */
const STORING_MS = 60_000;
function certificatesOf(reader: Reader, profile?: string): AsyncGenerator<CertificateRow> {
  return pagesOf((page) => reader.certificates.list(profile === undefined ? {} : { profile }, page));
}

/** Opens the blob of an escrowed key and compares its public key. */
async function blobFault(ports: CheckPorts, key: EscrowedKeyRow): Promise<string | undefined> {
  const opened = await openBlob(ports, key);
  if (typeof opened === 'string') return `key ${key.id} does not open: ${opened}`;
  ports.engine.destroyKey(opened);
  return undefined;
}

/** The part of I9 over managed keys: every version that is not destroyed opens as the key that its row says. */
async function checkManaged(ports: CheckPorts, reader: Reader, blobs: Findings): Promise<void> {
  for await (const key of pagesOf((page) => reader.managedKeys.list(page))) {
    for (const version of key.versions.filter(({ store }) => store !== 'tombstone')) {
      blobs.checked += 1;
      try {
        destroyMaterial(ports.engine, await openMaterial(ports, key.kind, version));
      } catch (error) {
        if (!(error instanceof KmcError) || error.code !== 'E_INTEGRITY') throw error;
        blobs.add(`managed key ${version.id} does not open`);
      }
    }
  }
}

/** I1: every encryption certificate has one escrowed key that opens and matches. I9 is the part that opens. */
async function checkEscrow(ports: CheckPorts, reader: Reader): Promise<InvariantResult[]> {
  const pairs = new Findings();
  const blobs = new Findings();
  const open = ports.keystore.state === 'UNSEALED';
  const encryption = new Set(Object.values(ports.policies.deviceProfiles).flatMap((profile) => profile.enc ?? []));
  for (const profile of encryption) {
    for await (const row of certificatesOf(reader, profile)) {
      if (row.certificate === undefined) continue;
      pairs.checked += 1;
      const key = await reader.escrowedKeys.findByCertificate(row.authorityId, row.serialNumber);
      const { spki } = parseCertificate(row.certificate);
      if (key === undefined) pairs.add(`certificate ${row.id} has no escrowed key`);
      else if (!key.spki.equals(spki)) pairs.add(`certificate ${row.id} and escrowed key ${key.id} do not match`);
    }
  }
  if (open) {
    for await (const key of pagesOf((page) => reader.escrowedKeys.list({}, page))) {
      if (key.store === 'tombstone') continue;
      blobs.checked += 1;
      const fault = await blobFault(ports, key);
      if (fault !== undefined) blobs.add(fault);
    }
    await checkManaged(ports, reader, blobs);
  }
  const limit = open ? undefined : 'not opened: this command holds no shares';
  return [
    pairs.result('I1', 'every encryption certificate has one escrowed key over the same public key'),
    blobs.result('I9', 'every escrowed and managed key opens under its stated key-encryption key', limit),
  ];
}

/** What the newest complete CRL and the newest of each shard must hold; a delta holds only what changed. */
async function checkCoverage(reader: Reader, latest: CrlRow, lists: Findings): Promise<void> {
  const { authorityId, scope, thisUpdate } = latest;
  const crl = parseCertificateList(latest.crl);
  if (crl.crlNumber !== latest.number) lists.add(`${authorityId}: the newest CRL (${scope}) states another number`);
  if (scope === DELTA) return;
  const entries = new Set(crl.entries.map((entry) => entry.serialNumber));
  for await (const row of eachRevoked(reader, authorityId, isShard(scope) ? scope : undefined)) {
    const due = row.notAfter >= thisUpdate && row.revokedAt.getTime() + STORING_MS < thisUpdate.getTime();
    if (due && !entries.has(row.serialNumber))
      lists.add(`${authorityId}: the CRL (${scope}) lacks ${row.serialNumber}`);
  }
}

async function checkLists(reader: Reader, authority: AuthorityRow, lists: Findings): Promise<void> {
  let highest = 0n;
  for (const scope of await reader.crls.scopes(authority.id)) {
    const latest = await reader.crls.latest(authority.id, scope);
    if (latest === undefined) continue;
    lists.checked += 1;
    if (latest.number > highest) highest = latest.number;
    await checkCoverage(reader, latest, lists);
  }
  if (highest > 0n && authority.crlNumber !== highest) lists.add(`${authority.id}: CRL number and newest CRL differ`);
}

/** I3 and I10 over certificates and CRLs. */
async function checkCertificates(reader: Reader): Promise<InvariantResult[]> {
  const intents = new Findings();
  const lists = new Findings();
  for await (const row of certificatesOf(reader)) {
    intents.checked += 1;
    if (row.status === 'aborted' && row.certificate !== undefined) intents.add(`aborted ${row.id} has a certificate`);
    if (row.status === 'good' && row.source === 'issued' && row.certificate === undefined) {
      intents.add(`issued ${row.id} has no certificate`);
    }
  }
  for (const authority of await reader.authorities.list({})) await checkLists(reader, authority, lists);
  return [
    intents.result('I3', 'every certificate that is in force exists, and no aborted intent has one'),
    lists.result('I10', 'CRL numbers agree, and every CRL covers what was revoked before it'),
  ];
}

async function checkRequests(reader: Reader): Promise<InvariantResult> {
  const found = new Findings();
  for await (const request of pagesOf((page) => reader.requests.list({}, page))) {
    found.checked += 1;
    const execution = await reader.executions.find(request.digest);
    if (request.state === 'DONE' && execution?.result === undefined)
      found.add(`${request.id} is done without a result`);
    if (request.state === 'OPEN' && execution !== undefined) found.add(`${request.id} is open and was executed`);
  }
  return found.result('I5', 'every approved request has at most one execution, and a done one has its result');
}

async function checkKeystore(ports: CheckPorts, reader: Reader): Promise<InvariantResult> {
  const found = new Findings();
  const { files } = ports.keystore.ports;
  try {
    const inspected = inspectKeystore(files);
    if (inspected !== undefined) {
      found.checked = inspected.manifest.body.files.length;
      const epoch = await reader.instance.keystoreEpoch();
      const { epoch: ofFiles } = inspected.manifest.body;
      const pending = inspected.record !== undefined && ofFiles === epoch + 1;
      if (ofFiles !== epoch && !pending) found.add(`the files are at epoch ${ofFiles}, the database at ${epoch}`);
    }
  } catch (error) {
    if (!(error instanceof KmcError)) throw error;
    found.add(error.message);
  }
  return found.result(
    'I6',
    'the files of the keystore are those of its manifest, and its epoch is that of the database',
  );
}

async function checkKeys(reader: Reader): Promise<InvariantResult[]> {
  const found = new Findings();
  const seen = new Set<string>();
  for await (const key of pagesOf((page) => reader.escrowedKeys.list({}, page))) {
    found.checked += 1;
    if (seen.has(key.spkiSm3)) found.add(`the public key of ${key.id} stands twice`);
    seen.add(key.spkiSm3);
    const certificates = await reader.certificates.findByKey(key.spkiSm3);
    if (new Set(certificates.map((row) => row.deviceId)).size > 1) found.add(`${key.id} was given to two devices`);
  }
  return [
    found.result('I2', 'no key stands in two stores or was given to two users'),
    await checkBalance(reader, found.checked),
  ];
}

/** I8: generated = spare + in use + history + destroyed, in all and for each batch. */
async function checkBalance(reader: Reader, keys: number): Promise<InvariantResult> {
  const found = new Findings();
  found.checked = keys;
  const counts = await reader.escrowedKeys.counts();
  const total = counts.reduce((sum, { count }) => sum + count, 0);
  if (total !== keys) found.add(`the stores count ${total} keys, ${keys} were found`);
  for (const { batchId, made, found: standing } of await reader.keyBatches.unbalanced()) {
    found.add(`batch ${batchId} was made of ${made} keys, ${standing} are there`);
  }
  return found.result('I8', 'every key that was made is in one of the stores, or has its tombstone');
}

/**
 * Checks the invariants of an instance that can be seen in its database and keystore at one moment. The log has a check
 * of its own (checkAuditLog).
 * @returns one result for each invariant; all of them are looked at whatever the others came to.
 * @throws KmcError E_STORAGE, E_INTEGRITY when rows cannot be read at all.
 */
export async function checkInstance(ports: CheckPorts): Promise<readonly InvariantResult[]> {
  return await ports.database.snapshot(async (reader) => [
    ...(await checkEscrow(ports, reader)),
    ...(await checkKeys(reader)),
    ...(await checkCertificates(reader)),
    await checkRequests(reader),
    await checkPeople(ports.policies, reader),
    await checkBreakGlass(ports, reader),
    await checkFigures(reader),
    await checkKeystore(ports, reader),
  ]);
}
