import { expect } from 'chai';
import type { IssuanceLimits } from '../../../src/domain/policy.ts';
import { newSerialNumber } from '../../../src/domain/serial-number.ts';
import { certificateIssuerOf } from '../../../src/flows/authorities/issuing-authority.ts';
import { prepareCertificate } from '../../../src/flows/certificates/prepare-certificate.ts';
import { signCertificate } from '../../../src/flows/certificates/sign-certificate.ts';
import { encodeName } from '../../../src/x509/name.ts';
import { refusal } from '../../crypto/refusal.ts';
import { POLICIES, theEstate } from '../../fixtures/estate.ts';
import { wrongSigner } from '../../fixtures/wrong-signer.ts';

const NAME = 'gw1.beijing.extranet.example';
const SUBJECT = encodeName([
  { type: 'C', value: 'CN' },
  { type: 'O', value: 'Government Extranet' },
  { type: 'CN', value: NAME },
]);

describe('signCertificate over an end-entity certificate', () => {
  /** Signs by an engine whose signatures are all wrong. */
  async function signWrongly(limits?: IssuanceLimits): Promise<Buffer> {
    const { engine, issuing } = await theEstate();
    const { spki } = await engine.generateKeyPair('SM2');
    const facts = {
      issuer: certificateIssuerOf('sm2-issuing', issuing.certificate),
      subject: SUBJECT,
      spki,
      notBefore: new Date(Math.floor(Date.now() / 1000) * 1000),
      subjectAltName: [{ type: 'dNSName', value: NAME }] as const,
      shard: '110000',
      serialNumber: newSerialNumber(),
    };
    const { linted } = prepareCertificate(POLICIES, 'gateway-sign', facts, issuing.certificate);
    return signCertificate({ engine: wrongSigner(engine), key: issuing.key, algorithm: 'SM2-SM3' }, linted, limits);
  }

  it('does not let a wrong signature out when policy says all, nor when it says nothing', async () => {
    await refusal('E_INTEGRITY', () => signWrongly({ signatureCheck: 'all', sampleOneIn: 50 }));
    await refusal('E_INTEGRITY', () => signWrongly());
  });

  it('looks at none when policy says none', async () => {
    expect(await signWrongly({ signatureCheck: 'none', sampleOneIn: 1 })).to.be.instanceOf(Buffer);
  });

  it('finds some of the wrong ones when policy samples, and every one when it samples one in one', async () => {
    await refusal('E_INTEGRITY', () => signWrongly({ signatureCheck: 'sampled', sampleOneIn: 1 }));
    const outcomes = new Set<boolean>();
    for (let round = 0; round < 200 && outcomes.size < 2; round += 1) {
      const signed = signWrongly({ signatureCheck: 'sampled', sampleOneIn: 2 });
      outcomes.add(await signed.then(() => true).catch(() => false));
    }
    expect(outcomes.size).to.equal(2);
  });
});
