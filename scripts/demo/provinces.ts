/** Gateways in the other regions: registered by approved batches, with tokens of an operator of each region, enrolled over HTTP. */
import { assembleCsr, encodeCertificationRequestInfo } from '../../src/x509/csr.ts';
import { EXTENSIONS, extensionOf } from '../../src/x509/extensions.ts';
import { hmacSm3 } from '../../src/crypto/gm/sm3.ts';
import { readAlternativeNames } from '../../src/domain/device.ts';
import { tokenMacInput } from '../../src/domain/enrolment.ts';
import { developmentCast } from '../../src/main/development/cast.ts';
import { partitions, type Region } from '../../src/domain/region.ts';
import { takeOverRegistrationAuthorities } from '../../src/flows/registration-authorities/take-over-registration-authorities.ts';
import type { SignedObject } from '../../src/domain/signed-body.ts';
import type { Scene } from './acts.ts';
import { GATEWAYS, openToken } from './gateways.ts';
import type { DemoPeople } from './people.ts';
import type { StepLog } from './story.ts';

const OPERATOR = 'ra-110000-2';
const MODELS = ['SG-1000', 'SG-2000', 'SG-2000', 'SG-8000'];
/** At least so many in each region, and in every second one more. */
const LEAST = 1;

/** The operator works in the region from now on, by three approvals. */
async function grantRegion(people: DemoPeople, { code }: Region): Promise<void> {
  const operator = developmentCast().find(({ folder }) => folder === OPERATOR)?.id ?? '';
  const params = { role: 'ra-operator', region: code };
  const request = await people.propose('security-1', 'person.grant-role', operator, params, 'operator for a region');
  await people.decide('security-2', 'security-administrator', request);
  await people.decide('security-3', 'security-administrator', request);
  await people.decide('owner-1', 'ca-owner', request);
  await people.execute('security-1', request);
}

function registration({ code, name }: Region, number: number): SignedObject & { readonly id: string } {
  const id = `gw-${code}-${number}`;
  return {
    id,
    kind: 'gateway',
    vendor: 'Example Networks',
    model: MODELS[(Number(code) / 10_000 + number) % MODELS.length] ?? 'SG-1000',
    serial: `SN-${id}`,
    unit: `${name.en} Extranet Office`,
    profile: 'gateway',
    organization: 'Government Extranet',
    commonName: `gw${number}.r${code}.extranet.example`,
    dnsNames: [`gw${number}.r${code}.extranet.example`],
    ipAddresses: [],
  };
}

/** A batch is registered by two approvals. @returns the ids of its devices. */
async function registerBatch(people: DemoPeople, region: Region, count: number): Promise<string[]> {
  const devices = Array.from({ length: count }, (_, index) => registration(region, index + 1));
  const params = { region: region.code, count: String(count), devices };
  const request = await people.propose(
    'owner-1',
    'device.register-batch',
    `b-${region.code}`,
    params,
    'first gateways',
  );
  await people.decide('security-1', 'security-administrator', request);
  await people.decide('operator-1', 'ca-operator', request);
  await people.execute('owner-1', request);
  return devices.map(({ id }) => id);
}

async function enrolOne(people: DemoPeople, id: string): Promise<void> {
  const { engine } = people;
  const { token, subject, alternativeNames } = await openToken(people, OPERATOR, id);
  const key = await engine.generateKeyPair('SM2');
  try {
    const names = readAlternativeNames(JSON.stringify(alternativeNames));
    const extensions = [extensionOf(EXTENSIONS.subjectAltName, names)];
    const info = encodeCertificationRequestInfo({ subject, spki: key.spki, extensions });
    const csr = assembleCsr(info, 'SM2-SM3', await engine.sign(key, 'SM2-SM3', info));
    const tokenMac = hmacSm3(token, tokenMacInput(csr)).toString('hex');
    const body = { deviceId: id, csr: csr.toString('base64'), tokenMac };
    await people.stranger().json('POST', '/api/v1/enrolments', body);
  } finally {
    token.fill(0);
    engine.destroyKey(key);
  }
}

/** The registration authorities of policy worked before this service: they are taken over as in service, once. */
export async function takeOverAuthorities({ instance }: Scene, log: StepLog): Promise<void> {
  await takeOverRegistrationAuthorities(instance, { type: 'system', id: instance.node }, () => true);
  const count = instance.policies.registrationAuthorities.length;
  log.count('registration authorities', count);
}

/** Every region gets a few gateways; some of their certificates are revoked, and one act is left for people to decide. */
export async function fillProvinces({ instance }: Scene, people: DemoPeople, log: StepLog): Promise<void> {
  const known = new Set(GATEWAYS.map(({ region }) => region));
  const others = partitions(instance.policies.regions).filter(({ code }) => !known.has(code));
  let enrolled = 0;
  for (const [at, region] of others.entries()) {
    await grantRegion(people, region);
    const ids = await registerBatch(people, region, LEAST + (at % 2));
    for (const id of ids) await enrolOne(people, id);
    enrolled += ids.length;
  }
  const [, second] = others;
  const rows = await instance.database.read((reader) =>
    reader.certificates.list({ deviceId: `gw-${second?.code}-1` }, { limit: 1 }),
  );
  const path = `/api/v1/certificates/${rows[0]?.id}/revocations`;
  await people.client('operator-1').json('POST', path, { reason: 'cessationOfOperation' });
  const params = { region: second?.code ?? '', reason: 'cessationOfOperation' };
  await people.propose('operator-1', 'device.decommission', `gw-${second?.code}-1`, params, 'taken down');
  log.count('regions', others.length + known.size);
  log.count('gateways', enrolled);
}
