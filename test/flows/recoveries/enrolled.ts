/** A device with its pair, enrolled for a test of recoveries. */
import { spkiSm3 } from '../../../src/crypto/spki.ts';
import type { KeyHandle } from '../../../src/crypto/engine.ts';
import { enrolDevice } from '../../../src/flows/enrolments/enrol-device.ts';
import type { EscrowedKeyRow } from '../../../src/flows/ports/escrowed-keys.ts';
import { parseCertificate, type Certificate } from '../../../src/x509/certificate.ts';
import { readyDevice } from '../../fixtures/enrolling.ts';
import type { TestInstance } from '../../fixtures/instance.ts';

export interface EnrolledDevice {
  readonly id: string;
  /** Its signing key. */
  readonly signKey: KeyHandle;
  readonly sign: Certificate;
  readonly enc: Certificate;
  readonly key: EscrowedKeyRow;
}

export async function enrolled(test: TestInstance, id = 'gw-1', instance = test.instance): Promise<EnrolledDevice> {
  const { input, key: signKey } = await readyDevice(test, id, { serial: `SN-${id}` });
  const outcome = await enrolDevice(instance, input);
  if (outcome.state !== 'ISSUED') throw new Error('the enrolment waits');
  const sign = parseCertificate(outcome.answer.signCertificate);
  const enc = parseCertificate(outcome.answer.encCertificate ?? Buffer.alloc(0));
  const key = await test.database.read((reader) => reader.escrowedKeys.findByKey(spkiSm3(enc.spki)));
  if (key === undefined) throw new Error('nothing was escrowed');
  return { id, signKey, sign, enc, key };
}
