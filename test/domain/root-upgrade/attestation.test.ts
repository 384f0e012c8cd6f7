import { expect } from 'chai';
import { sm3 } from '../../../src/crypto/gm/sm3.ts';
import {
  ATTESTATION_KIND_NAMES,
  readSignedAttestation,
  verifyAttestation,
  type AttestationKind,
  type SignedAttestation,
} from '../../../src/domain/root-upgrade/attestation.ts';
import { signAttestation } from '../../../src/flows/root-upgrade/sign-attestation.ts';
import { theEstate } from '../../fixtures/estate.ts';
import { refusalOf } from '../refusal.ts';

const DOCUMENT = `sm3:${sm3(Buffer.from('the drill', 'utf8')).toString('hex')}`;

async function signed(kind: AttestationKind = 'rollback-drill'): Promise<SignedAttestation> {
  const { engine, people } = await theEstate();
  const { key, certificate } = people.systemOne;
  const choice = { kind, upgrade: 'u-1', documentSm3: DOCUMENT, passed: true, at: new Date() };
  return await signAttestation({ engine, key, certificate: certificate.der }, choice);
}

describe('an attestation', () => {
  it('verifies with the certificate alone, for each kind of the closed list', async () => {
    expect(ATTESTATION_KIND_NAMES).to.have.length(9);
    for (const kind of ATTESTATION_KIND_NAMES) {
      const attestation = readSignedAttestation(JSON.parse(JSON.stringify(await signed(kind))));
      expect(verifyAttestation(attestation).keyAlgorithm).to.equal('SM2');
    }
  });

  it('is refused with one member, role, certificate or signature changed', async () => {
    const good = await signed();
    const { people } = await theEstate();
    const other = people.auditor.certificate.der.toString('base64');
    const flipped = `${good.signature[0] === 'A' ? 'B' : 'A'}${good.signature.slice(1)}`;
    const body = (more: object) => ({ ...good, body: { ...good.body, ...more } });
    const faulty: readonly [unknown, string][] = [
      [body({ result: 'FAIL' }), 'E_SIGNATURE'],
      [body({ target: 'root-upgrade/u-2' }), 'E_SIGNATURE'],
      [body({ documentSm3: `sm3:${'0'.repeat(64)}` }), 'E_SIGNATURE'],
      [body({ role: 'auditor' }), 'E_APPROVAL'],
      [body({ kind: 'no-such-kind' }), 'E_SCHEMA'],
      [body({ more: 'x' }), 'E_SCHEMA'],
      [{ ...good, certificate: other }, 'E_APPROVAL'],
      [{ ...good, signature: flipped }, 'E_SIGNATURE'],
      [{ ...good, signature: 'AA==' }, 'E_SCHEMA'],
    ];
    for (const [attestation, code] of faulty) {
      const refused = refusalOf(() => verifyAttestation(readSignedAttestation(attestation)));
      expect(refused?.code, JSON.stringify(attestation).slice(0, 200)).to.equal(code);
    }
  });
});
