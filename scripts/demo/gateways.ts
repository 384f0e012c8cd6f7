/** Gateways of the demo: registered by one operator, given a token by another, enrolled over HTTP by the reference client. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { enrol } from '../../src/agent/enrol.ts';
import { readAlternativeNames } from '../../src/domain/device.ts';
import { wipe } from '../../src/crypto/bytes.ts';
import type { DemoPeople } from './people.ts';
import { objectOf, textOf } from './people.ts';

export interface DemoGateway {
  readonly id: string;
  readonly region: string;
  readonly province: string;
  readonly commonName: string;
  /** Revoked before the upgrade, in the RSA estate. */
  readonly legacyRevoked: boolean;
}

export const GATEWAYS: readonly DemoGateway[] = [
  {
    id: 'gw-110000-1',
    region: '110000',
    province: 'Beijing',
    commonName: 'gw1.beijing.extranet.example',
    legacyRevoked: false,
  },
  {
    id: 'gw-110000-2',
    region: '110000',
    province: 'Beijing',
    commonName: 'gw2.beijing.extranet.example',
    legacyRevoked: false,
  },
  {
    id: 'gw-310000-1',
    region: '310000',
    province: 'Shanghai',
    commonName: 'gw1.shanghai.extranet.example',
    legacyRevoked: false,
  },
  {
    id: 'gw-310000-2',
    region: '310000',
    province: 'Shanghai',
    commonName: 'gw2.shanghai.extranet.example',
    legacyRevoked: true,
  },
];

/** One that speaks EST; it is in no estate of before. */
export const EST_GATEWAY: DemoGateway = {
  id: 'gw-est-1',
  region: '110000',
  province: 'Beijing',
  commonName: 'gw3.beijing.extranet.example',
  legacyRevoked: false,
};

/** What a device was given: enough to enrol. */
export interface HandedToken {
  readonly token: Buffer;
  readonly subject: Buffer;
  readonly alternativeNames: unknown;
}

/** Registers the gateway as one operator of its region and issues its token as the other. */
export async function registerGateway(people: DemoPeople, gateway: DemoGateway): Promise<HandedToken> {
  await people.client(`ra-${gateway.region}-1`).json('POST', '/api/v1/devices', {
    id: gateway.id,
    vendor: 'Example Networks',
    model: 'SG-2000',
    serial: `SN-${gateway.id}`,
    region: gateway.region,
    unit: `${gateway.province} Extranet Office`,
    organization: 'Government Extranet',
    commonName: gateway.commonName,
    dnsNames: [gateway.commonName],
  });
  return await openToken(people, `ra-${gateway.region}-2`, gateway.id);
}

/** Issues a token as that operator, and opens it with the operator's key. */
export async function openToken(people: DemoPeople, operator: string, deviceId: string): Promise<HandedToken> {
  const answer = await people
    .client(operator)
    .json('POST', `/api/v1/devices/${deviceId}/tokens`, { delivery: 'in-person' });
  const { key } = people.stage.person(operator);
  const ciphertext = Buffer.from(textOf(objectOf(answer, 'token'), 'ciphertext'), 'base64');
  const secret = await people.engine.decryptSecret(key, ciphertext);
  try {
    const token = await people.engine.releaseToken(secret);
    const { alternativeNames } = answer as { alternativeNames: unknown };
    return { token, subject: Buffer.from(textOf(answer, 'subjectDer'), 'base64'), alternativeNames };
  } finally {
    people.engine.destroySecret(secret);
  }
}

/** Enrols the gateway over HTTP with the reference client, which writes its files. */
export async function enrolGateway(
  people: DemoPeople,
  gateway: DemoGateway,
  handed: HandedToken,
  to: { readonly folder: string; readonly root: Buffer; readonly passphraseFile: string },
): Promise<void> {
  const folder = join(to.folder, gateway.id);
  mkdirSync(folder, { recursive: true });
  const passphrase = readFileSync(to.passphraseFile);
  try {
    await enrol(
      { engine: people.engine, client: people.stranger(), now: () => new Date() },
      {
        deviceId: gateway.id,
        subject: handed.subject,
        alternativeNames: readAlternativeNames(JSON.stringify(handed.alternativeNames)),
        token: handed.token,
        passphrase,
        root: to.root,
        folder,
      },
    );
  } finally {
    wipe(passphrase);
  }
}
