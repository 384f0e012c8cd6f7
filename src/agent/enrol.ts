/** The reference client of a device: makes its signing key, enrols, checks the answer, keeps it in files. */
import { encodePem } from '../crypto/asn1/pem.ts';
import type { CryptoEngine } from '../crypto/engine.ts';
import { hmacSm3 } from '../crypto/gm/sm3.ts';
import { tokenMacInput } from '../domain/enrolment.ts';
import { checkEnrolment, type ReceivedEnrolment } from './check-enrolment.ts';
import { makeDeviceFolder, type DeviceFolder, type DeviceSet } from './device-folder.ts';
import {
  certificateIn,
  certificationRequest,
  keepAnswer,
  readAnswer,
  signingKey,
  type DeviceNames,
} from './device-keys.ts';
import type { KmcClient } from './signed-client.ts';

export interface DeviceEnrolment extends DeviceNames {
  readonly deviceId: string;
  /** The token as it was handed over, ASCII; the caller wipes it. */
  readonly token: Buffer;
  /** Protects the two key files; the caller wipes it. */
  readonly passphrase: Buffer;
  /** The root that the device was given to trust, DER. */
  readonly root: Buffer;
  /** Where keys and certificates are kept. */
  readonly folder: string;
}

export interface AgentPorts {
  readonly engine: CryptoEngine;
  readonly client: KmcClient;
  readonly now: () => Date;
}

/** The set into which an answer goes: the one being made, or a new one with the key of an enrolled device. */
function setFor(folder: DeviceFolder, asked: DeviceSet): DeviceSet {
  const pending = folder.pending();
  if (asked.name === pending.name) return pending;
  folder.discardPending();
  for (const file of ['signKey', 'csr'] as const) pending.write(file, asked.need(file));
  return pending;
}

/**
 * Enrols the device, or goes on with an enrolment that was cut short: the key is kept first, then the request, and the
 * service answers the same request again. Nothing of the answer is kept before all of it was checked, and it takes the
 * place of what was in force in one step.
 * @throws KmcError E_PENDING (retryAfter: run again later), E_PASSPHRASE, E_STORAGE, what the service refuses, and what
 * `checkEnrolment` refuses.
 */
export async function enrol(ports: AgentPorts, enrolment: DeviceEnrolment): Promise<ReceivedEnrolment> {
  const { engine, client } = ports;
  const { passphrase, subject, root } = enrolment;
  const folder = makeDeviceFolder(enrolment.folder);
  const current = folder.current();
  const asked = current ?? folder.pending();
  const signKey = await signingKey(engine, asked, passphrase);
  try {
    const csr = await certificationRequest(engine, asked, signKey, enrolment);
    const tokenMac = hmacSm3(enrolment.token, tokenMacInput(csr)).toString('hex');
    const body = { deviceId: enrolment.deviceId, csr: csr.toString('base64'), tokenMac };
    const answer = readAnswer(await client.json('POST', '/api/v1/enrolments', body));
    const encKey = await checkEnrolment(engine, answer, { signKey, subject, anchors: [root], at: ports.now() });
    try {
      folder.keepRoot(encodePem('CERTIFICATE', root));
      if (current !== undefined && certificateIn(current, 'signCertificate').equals(answer.signCertificate)) {
        return answer;
      }
      await keepAnswer(engine, setFor(folder, asked), answer, { encKey, passphrase });
      folder.commit();
    } finally {
      engine.destroyKey(encKey);
    }
    return answer;
  } finally {
    engine.destroyKey(signKey);
  }
}
