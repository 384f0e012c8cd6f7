/** A device with its pair of certificates and its escrowed key, as an enrolment leaves them. */
import { newId } from '../../../src/domain/id.ts';
import { findDeviceAuthority, openDeviceAuthority } from '../../../src/flows/enrolments/device-authority.ts';
import { issuePair, type IssuedPair } from '../../../src/flows/enrolments/issue-pair.ts';
import { takeKey } from '../../../src/flows/keys/take-key.ts';
import { encodeName } from '../../../src/x509/name.ts';
import { recordEvent, device } from '../../store/rows.ts';
import type { DatabaseFixture } from '../../store/databases.ts';
import type { TestInstance } from '../../fixtures/instance.ts';

export async function storePair(test: TestInstance, fixture: DatabaseFixture, id = 'gw-1'): Promise<IssuedPair> {
  const { instance, database } = test;
  const subject = encodeName([
    { type: 'C', value: 'CN' },
    { type: 'O', value: 'KMC test' },
    { type: 'CN', value: `${id}.example.cn` },
  ]);
  const alternativeNames = JSON.stringify([{ type: 'dNSName', value: `${id}.example.cn` }]);
  const row = device(id, { subject, alternativeNames, serial: newId('s', instance.clock.now()) });
  const found = await findDeviceAuthority(instance);
  const authority = await openDeviceAuthority(instance, found);
  const key = await instance.engine.generateKeyPair('SM2');
  const auditEvent = await recordEvent(fixture);
  const pair = await issuePair(instance, {
    device: row,
    profile: { sign: 'gateway-sign', enc: 'gateway-enc', marked: false, tier: 'edge', envelope: 'gmt-0009' },
    appliesForKeys: false,
    authority,
    signSpki: key.spki,
    at: instance.clock.now(),
    auditEvent,
  });
  await database.transaction(async (tx) => {
    await tx.devices.insert(row);
    await tx.certificates.insertAll([pair.sign, pair.enc]);
    await takeKey(tx, pair.escrowedKey);
  });
  return pair;
}
