/** A ceremony's key signs only what a throw-away key has signed before, octet for octet (C7). */
import { expect } from 'chai';
import type { KeyHandle } from '../../../src/crypto/engine.ts';
import { encodeName } from '../../../src/x509/name.ts';
import type { CeremonyRun } from '../../../src/flows/ceremonies/ceremony-run.ts';
import { signProven, type ProvenWork } from '../../../src/flows/ceremonies/sign-proven.ts';
import type { ObjectSigner } from '../../../src/flows/certificates/sign-checked.ts';
import { prepareCertificate } from '../../../src/flows/certificates/prepare-certificate.ts';
import { signCertificate } from '../../../src/flows/certificates/sign-certificate.ts';
import { certificateIssuerOf } from '../../../src/flows/authorities/issuing-authority.ts';
import { newSerialNumber } from '../../../src/domain/serial-number.ts';
import { KmcError } from '../../../src/errors.ts';
import { parseCertificate } from '../../../src/x509/certificate.ts';
import { certificateFindings } from '../../../src/x509/lint/lint-tbs-certificate.ts';
import { verifySignedBy } from '../../../src/x509/path/issuer-signature.ts';
import { POLICIES, theEstate } from '../../fixtures/estate.ts';
import { refusalFrom } from '../../domain/refusal.ts';

describe('flows/ceremonies/sign-proven', () => {
  /** What was signed with which key, in order. */
  let used: { readonly key: KeyHandle; readonly message: Buffer }[];
  let key: KeyHandle;
  let throwAway: KeyHandle;
  let run: CeremonyRun;
  let work: (change?: (serial: Buffer) => Buffer) => ProvenWork;

  before(async () => {
    const { engine, root } = await theEstate();
    key = root.key;
    throwAway = await engine.generateKeyPair('SM2');
    const counting = {
      sign: async (...given: Parameters<typeof engine.sign>) => {
        used.push({ key: given[0], message: given[2] });
        return await engine.sign(...given);
      },
    };
    run = { engine: counting, throwAwayKey: () => Promise.resolve(throwAway) } as unknown as CeremonyRun;
    const { spki } = await engine.generateKeyPair('SM2');
    const serialNumber = newSerialNumber();
    const facts = {
      issuer: certificateIssuerOf('sm2-root', root.certificate),
      subject: encodeName([{ type: 'CN', value: 'An issuing CA' }]),
      spki,
      notBefore: new Date(Math.floor(Date.now() / 1000) * 1000),
    };
    work = (change = (serial) => serial) => {
      let serial = serialNumber;
      return {
        build: () => {
          const { linted } = prepareCertificate(
            POLICIES,
            'issuing',
            { ...facts, serialNumber: serial },
            root.certificate,
          );
          serial = change(serial);
          return { tbs: linted.certificate.tbs, sign: (signer: ObjectSigner) => signCertificate(signer, linted) };
        },
        look: (der, under) => {
          const certificate = parseCertificate(der);
          const findings = certificateFindings(certificate, 'issuing', { issuer: root.certificate });
          const isSound = findings.every(({ severity }) => severity !== 'error');
          if (isSound && verifySignedBy(certificate, { spki: under })) return certificate.tbs;
          throw new KmcError('E_INTEGRITY', 'It does not hold.');
        },
      };
    };
  });
  beforeEach(() => {
    used = [];
  });

  const refused = async (proven: ProvenWork): Promise<string | undefined> =>
    (await refusalFrom(signProven(run, key, 'SM2-SM3', proven)))?.code;
  const realUses = () => used.filter((one) => one.key === key).length;

  it('the real key signs once, and exactly what the throw-away key has signed before it', async () => {
    const der = await signProven(run, key, 'SM2-SM3', work());
    expect(used.map((one) => one.key)).to.deep.equal([throwAway, key]);
    expect(used[0]?.message.equals(used[1]?.message ?? Buffer.alloc(0))).to.equal(true);
    expect(verifySignedBy(parseCertificate(der), { spki: key.spki })).to.equal(true);
  });

  it('a builder that changes between lint and signature is refused, and the key is not used', async () => {
    const change = (serial: Buffer): Buffer => Buffer.from(serial.map((octet, at) => (at === 15 ? octet ^ 1 : octet)));
    expect(await refused(work(change))).to.equal('E_STALE');
    expect(realUses()).to.equal(0);
  });

  it('what the throw-away object fails is refused, and the key is not used', async () => {
    const { build, look } = work();
    const failing = {
      build,
      look: (der: Buffer, spki: Buffer): Buffer => {
        look(der, spki);
        throw new KmcError('E_INTEGRITY', 'A rule does not hold.');
      },
    };
    expect(await refused(failing)).to.equal('E_INTEGRITY');
    expect(realUses()).to.equal(0);
    const before = used.length;
    const unlinted = {
      look,
      build: (): never => {
        throw new KmcError('E_LINT', 'A rule.');
      },
    };
    expect(await refused(unlinted)).to.equal('E_LINT');
    expect(used.length).to.equal(before);
  });
});
