/**
 * A fleet that goes through a root upgrade, SM2 to SM2: devices with keys of their own over real HTTP, of several models and
 * regions, some offline and some with a broken store, under a clock that the simulation moves. It runs on an instance of the
 * test bed, which is never a production one; the service itself has no setting for its clock.
 *
 *   npx tsx scripts/simulate-fleet.ts [--devices 1000] [--offline 1] [--broken 0] [--database URL]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { proveCanary, readCanary, validatorOver } from '../src/agent/canary-proof.ts';
import { createClient, type KmcClient } from '../src/agent/signed-client.ts';
import { fetchManifests } from '../src/agent/trust-folder.ts';
import type { KeyHandle } from '../src/crypto/engine.ts';
import { hmacSm3 } from '../src/crypto/gm/sm3.ts';
import { spkiSm3 } from '../src/crypto/spki.ts';
import { tokenMacInput } from '../src/domain/enrolment.ts';
import { REPORT_PATH, REPORT_SCHEMA, type DeviceReport } from '../src/domain/fleet/device-report.ts';
import { reachesShare, type FleetReadiness } from '../src/domain/fleet/readiness.ts';
import { signedTime } from '../src/domain/signed-body.ts';
import { applyManifests } from '../src/domain/trust/apply-manifest.ts';
import { ageAnchors, operationalCertificates } from '../src/domain/trust/device-anchors.ts';
import { acceptProvisioned } from '../src/domain/trust/first-manifest.ts';
import { manifestDigest, readManifest, versionOf, type ManifestBody } from '../src/domain/trust/manifest.ts';
import type { TrustState } from '../src/domain/trust/trust-state.ts';
import { issueToken } from '../src/flows/devices/issue-token.ts';
import { registerDevice } from '../src/flows/devices/register-device.ts';
import { readReadiness } from '../src/flows/fleet/read-readiness.ts';
import { takeSnapshot } from '../src/flows/fleet/take-snapshot.ts';
import { UPGRADE_FLEET } from '../src/flows/fleet/upgrade-fleet.ts';
import { parseCertificate, sm3Fingerprint } from '../src/x509/certificate.ts';
import { registrationOf, requestFor } from '../test/fixtures/enrolling.ts';
import { TestInstance } from '../test/fixtures/instance.ts';
import { manifestMaker } from '../test/fixtures/manifests.ts';
import { secondGeneration } from '../test/fixtures/second-generation.ts';
import { carryOut } from '../test/flows/people/people-acts.ts';
import { LiveService } from '../test/http/live-service.ts';

const { values } = parseArgs({
  options: {
    devices: { type: 'string', default: '1000' },
    offline: { type: 'string', default: '1' },
    broken: { type: 'string', default: '0' },
    database: { type: 'string' },
  },
});
const COUNT = Number(values.devices);
const OFFLINE = Math.round((COUNT * Number(values.offline)) / 100);
const BROKEN = Math.round((COUNT * Number(values.broken)) / 100);
const UPGRADE = 'ru-g3';
const REGIONS = ['110000', '310000', '440000', '650000'];
const MODELS = ['SG-1', 'SG-2', 'SG-9'];
const TOGETHER = 16;
const DAY = 86_400;

interface SimulatedDevice {
  readonly id: string;
  readonly isOffline: boolean;
  /** Its validator goes by names: it accepts whatever bears the name of a root. */
  readonly isBroken: boolean;
  key: KeyHandle;
  sign: Buffer;
  enc: Buffer;
  trust: TrustState;
  client: KmcClient;
}

const folder = mkdtempSync(join(tmpdir(), 'kmc-fleet-'));
const started = performance.now();
const say = (text: string): boolean =>
  process.stdout.write(`${((performance.now() - started) / 1000).toFixed(1).padStart(7)} s  ${text}\n`);

/** Works on all, some at a time. */
async function each<T>(list: readonly T[], work: (item: T, at: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < list.length; at = next++) await work(list[at] as T, at);
  };
  await Promise.all(Array.from({ length: TOGETHER }, worker));
}

const test = await TestInstance.make(values.database ?? join(folder, 'kmc.sqlite'));
const { instance, people, clock } = test;
const { engine } = instance;
const limits = { requests: 1_000_000, seconds: 1 };
const service = await LiveService.start(test, { limits: { source: limits, identity: limits, application: limits } });
const maker = manifestMaker(() => test);
const generation = await secondGeneration(test);
const now = (): Date => clock.now();
const clientOf = (key: KeyHandle, certificate: Buffer): KmcClient =>
  createClient({ baseUrl: service.url, signer: { engine, key, certificate }, clock: () => now().getTime() });

let manifest: ManifestBody = await maker.publish(await maker.first());
async function publish(more: Partial<ManifestBody>): Promise<void> {
  const times = { issuedAt: signedTime(now()), expiresAt: signedTime(new Date(now().getTime() + 60 * DAY * 1000)) };
  manifest = await maker.publish(maker.next(manifest, { ...times, ...more }));
}

/** Registers and enrols one over HTTP. */
async function enrolled(at: number): Promise<SimulatedDevice> {
  const id = `gw-${String(at).padStart(6, '0')}`;
  const region = REGIONS[at % REGIONS.length] ?? '';
  const operator = (name: 'raOne' | 'raTwo') => ({
    ...people[name].caller,
    roles: [{ role: 'ra-operator', region }] as const,
  });
  const registration = registrationOf(id, { model: MODELS[at % MODELS.length] ?? '' });
  const { device } = await registerDevice(instance, operator('raOne'), { registration, region });
  const issued = await issueToken(instance, operator('raTwo'), { deviceId: id, delivery: 'in-person' });
  const token = await engine.releaseToken(await engine.decryptSecret(people.raTwo.key, issued.ciphertext));
  const key = await engine.generateKeyPair('SM2');
  const csr = await requestFor(engine, device, key);
  const body = {
    deviceId: id,
    csr: csr.toString('base64'),
    tokenMac: hmacSm3(token, tokenMacInput(csr)).toString('hex'),
  };
  const answer = (await createClient({ baseUrl: service.url }).json('POST', '/api/v1/enrolments', body)) as Pair;
  const sign = Buffer.from(answer.signCertificate, 'base64');
  const trust = acceptProvisioned(first, manifestDigest(first.body), now());
  const isOffline = at < OFFLINE;
  const isBroken = !isOffline && at < OFFLINE + BROKEN;
  const enc = Buffer.from(answer.encCertificate, 'base64');
  return { id, isOffline, isBroken, key, sign, enc, trust, client: clientOf(key, sign) };
}

interface Pair {
  readonly signCertificate: string;
  readonly encCertificate: string;
}

const first = readManifest(await maker.signed(manifest));
const devices: SimulatedDevice[] = [];
await each(
  Array.from({ length: COUNT }, (_, at) => at),
  async (at) => void (devices[at] = await enrolled(at)),
);
say(`${COUNT} devices enrolled in ${REGIONS.length} regions: ${OFFLINE} will be offline, ${BROKEN} broken`);

const online = devices.filter(({ isOffline }) => !isOffline);

function anchorsOf({ trust }: SimulatedDevice): Buffer[] {
  return operationalCertificates(trust).map(({ der }) => der);
}

async function report(device: SimulatedDevice, level: DeviceReport['level'], more: object = {}): Promise<void> {
  const { body } = device.trust.manifest;
  const common = {
    schema: REPORT_SCHEMA,
    level,
    bundle: body.bundle,
    bundleVersion: body.version,
    bundleDigest: manifestDigest(body),
    firmware: '5.0',
  };
  const anchors = anchorsOf(device).map((der) => spkiSm3(parseCertificate(der).spki));
  await device.client.json('POST', REPORT_PATH, { ...common, ...(level === 'FETCHED' ? {} : { anchors }), ...more });
}

/** Fetches what is new, by the library, and says so. */
async function follow(device: SimulatedDevice): Promise<void> {
  const { bundle } = device.trust.manifest.body;
  const current = versionOf(device.trust.manifest.body);
  const found = await fetchManifests(device.client, bundle, current);
  const newer = found.filter(({ body }) => versionOf(body) > current);
  if (newer.length > 0) device.trust = applyManifests(device.trust, newer, now());
  device.trust = { ...device.trust, anchors: ageAnchors(device.trust, now()) };
  if (newer.length > 0) await report(device, 'FETCHED');
}

async function verify(device: SimulatedDevice): Promise<void> {
  await report(device, 'INSTALLED');
  const path = `/api/v1/devices/self/canary?root=${generation.rootSm3}`;
  const canary = readCanary(await device.client.json('GET', path));
  const validator = device.isBroken ? () => [generation.rootSm3] : validatorOver(anchorsOf(device));
  await report(device, 'VERIFIED', { canary: proveCanary(canary, validator, now()) });
}

async function migrate(device: SimulatedDevice): Promise<void> {
  const row = await test.database.read((reader) => reader.devices.find(device.id));
  if (row === undefined) throw new Error(device.id);
  const key = await engine.generateKeyPair('SM2');
  const csr = (await requestFor(engine, row, key)).toString('base64');
  const answer = (await device.client.json('POST', '/api/v1/devices/self/renewals', { csr })) as Pair;
  engine.destroyKey(device.key);
  device.key = key;
  device.sign = Buffer.from(answer.signCertificate, 'base64');
  device.enc = Buffer.from(answer.encCertificate, 'base64');
  device.client = clientOf(key, device.sign);
  const [sign, enc] = [sm3Fingerprint(device.sign), sm3Fingerprint(device.enc)];
  await report(device, 'MIGRATED', { certificates: { sign, enc, usedAt: signedTime(now()) } });
}

const scope = () => ({ upgrade: UPGRADE, rootSm3: generation.rootSm3, at: now() });
async function readiness(goal: 'VERIFIED' | 'MIGRATED'): Promise<FleetReadiness> {
  const view = { upgradeId: UPGRADE, rootSm3: generation.rootSm3, at: now() };
  const begun = performance.now();
  const found = await test.database.snapshot((reader) => readReadiness(reader, view, goal));
  if (found === undefined) throw new Error('The upgrade has no members.');
  const { counted, reached, waived, dark } = found.overall;
  say(
    `readiness: ${reached.INSTALLED} INSTALLED, ${reached.VERIFIED} VERIFIED, ${reached.MIGRATED} MIGRATED of ${counted}` +
      ` (${waived} waived, ${dark} dark, ${found.overall.faulty} faulty); counted in ${Math.round(performance.now() - begun)} ms`,
  );
  return found;
}

/** The gate of T6: 99.9 % installed, 99.5 % in each province, 99.5 % verified. */
function isOpen({ overall, regions }: FleetReadiness): boolean {
  return (
    reachesShare(overall.reached.INSTALLED, overall.counted, 9990) &&
    reachesShare(overall.reached.VERIFIED, overall.counted, 9950) &&
    regions.every(({ reached, counted }) => reachesShare(reached.INSTALLED, counted, 9950))
  );
}

function require(condition: boolean, what: string): void {
  if (!condition) throw new Error(`FAILED: ${what}`);
  say(`ok: ${what}`);
}

await test.database.transaction((tx) => UPGRADE_FLEET.enlistFleet(tx, scope()));
await test.database.transaction((tx) => UPGRADE_FLEET.beginWave(tx, scope(), { all: true }, 1));
await generation.stage();
await publish(generation.installing);
await each(online, follow);
say('version 2 fetched; the hold-down of the devices runs');
clock.advance(DAY + 60);
await each(online, follow);
await each(online, verify);
say('installed, and the canary proved');

const shut = await readiness('VERIFIED');
const missing = new Set(devices.filter((each) => each.isOffline || each.isBroken).map(({ id }) => id));
const named = shut.stragglers.listed.map(({ id }) => id);
require(shut.stragglers.total === missing.size &&
  named.every((id) => missing.has(id)), 'the stragglers are exactly those');
if (missing.size > 0) require(!isOpen(shut), 'the gate is shut');
for (const id of missing) {
  const device = await test.database.read((reader) => reader.devices.find(id));
  const until = signedTime(new Date(now().getTime() + 60 * DAY * 1000));
  const params = { upgrade: UPGRADE, region: device?.region ?? '', until, reason: 'offline' };
  await carryOut(test, { op: 'device.waive', targetId: id, params }, [people.caOperatorOne, people.securityOne]);
}
require(isOpen(await readiness('VERIFIED')), `the gate is open with ${missing.size} signed waivers`);
const snapshot = await takeSnapshot(instance, people.caOwner.caller, { upgradeId: UPGRADE, goal: 'VERIFIED' });
say(`evidence of ${snapshot.members} members: ${snapshot.digest}`);

await generation.activate();
await publish(generation.activating);
clock.advance(60);
const sound = online.filter(({ isBroken }) => !isBroken);
await each(sound, follow);
const begun = performance.now();
await each(sound, migrate);
const seconds = (performance.now() - begun) / 1000;
say(`${sound.length} devices re-enrolled over HTTP: ${Math.round(sound.length / seconds)} a second`);
const migrated = await readiness('MIGRATED');
require(reachesShare(migrated.overall.reached.MIGRATED, migrated.overall.counted, 9990), 'the fleet has migrated');
const peak = Math.round(process.resourceUsage().maxRSS / 1024);
say(`done; peak memory of service and all devices in one process: ${peak} MiB`);
await service.close();
await test.stop();
rmSync(folder, { recursive: true, force: true });
process.exit(0);
