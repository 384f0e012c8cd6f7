/** Every shipped ceremony rehearsed with throw-away keys; nothing of it can be put into service (C6). */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { readEnvironment } from '../../../src/config/environment.ts';
import { createSoftwareEngine } from '../../../src/crypto/software-engine.ts';
import { importAuthority } from '../../../src/flows/authorities/import-authority.ts';
import { importCeremony } from '../../../src/flows/ceremonies/import-ceremony.ts';
import { rehearseCeremony } from '../../../src/flows/ceremonies/rehearse-ceremony.ts';
import { openRehearsal } from '../../../src/main/rehearsal.ts';
import { parseCertificate } from '../../../src/x509/certificate.ts';
import { assembleCsr, encodeCertificationRequestInfo } from '../../../src/x509/csr.ts';
import { encodeName } from '../../../src/x509/name.ts';
import { refusalFrom } from '../../domain/refusal.ts';
import { bringLegacyEstate } from './legacy-inputs.ts';
import { Workshop } from './workshop.ts';

const SYSTEM = { type: 'system', id: 'kmc' } as const;

describe('flows/ceremonies/rehearse-ceremony', function rehearsals() {
  this.timeout(180_000);
  let workshop: Workshop;

  before(async () => {
    workshop = await Workshop.open();
    await workshop.hold('kmc-init');
    await workshop.hold('ca-root');
    bringLegacyEstate(workshop);
    workshop.input('sm2-root.cer', workshop.output('ca-root', 'sm2-root.cer'));
    workshop.input('sm2-issuing.csr', await request());
  });
  after(() => workshop.close());

  async function request(): Promise<Buffer> {
    const engine = createSoftwareEngine();
    const key = await engine.generateKeyPair('SM2');
    const subject = encodeName([
      { type: 'C', value: 'CN' },
      { type: 'O', value: 'Government Extranet' },
      { type: 'CN', value: 'Issuing' },
    ]);
    const info = encodeCertificationRequestInfo({ subject, spki: key.spki });
    return assembleCsr(info, 'SM2-SM3', await engine.sign(key, 'SM2-SM3', info));
  }

  async function rehearsed(template: string, look: (files: ReadonlyMap<string, Buffer>) => Promise<void> | void) {
    const place = await openRehearsal(readEnvironment({ home: join(workshop.root, 'none') }, {}));
    const { file } = workshop.prepare(template, (text) =>
      template === 'kmc-init' ? text.replace(/previous: sm3:\w+/, 'previous: none') : text,
    );
    try {
      const result = await rehearseCeremony(place, { file, inputs: workshop.inputs });
      await look(place.folder.files());
      const refusal = await refusalFrom(importCeremony({ ...workshop.instance, folder: place.folder }, SYSTEM));
      expect(refusal?.code).to.equal('E_LINT');
      return result;
    } finally {
      await place.remove();
    }
  }

  const certificatesIn = (files: ReadonlyMap<string, Buffer>) =>
    [...files].filter(([name]) => /^outputs\/.*\.cer$/.test(name)).map(([, bytes]) => parseCertificate(bytes));

  for (const [template, notDone] of [
    ['kmc-init', []],
    ['ca-root', []],
    ['ca-issuing', []],
    ['cross-sign', []],
    ['legacy-import', ['s4', 's5']],
  ] as const) {
    it(`${template}: every certificate is marked, and the real keystore is not touched`, async () => {
      const before = readdirSync(join(workshop.root, 'home'), { recursive: true }).length;
      const result = await rehearsed(template, async (files) => {
        for (const certificate of certificatesIn(files)) {
          expect(certificate.subject.text).to.include('REHEARSAL');
          if (certificate.basicConstraints?.ca !== true) continue;
          const root = { id: 'sneaked-in', kind: 'root', generation: 'G2', ceremony: 'cer-1' } as const;
          const sneaked = importAuthority(workshop.instance, SYSTEM, { ...root, certificate: certificate.der });
          expect((await refusalFrom(sneaked))?.message).to.include('rehearsal');
        }
        expect(certificatesIn(files).length > 0).to.equal(template !== 'legacy-import');
      });
      expect(result.notDone).to.deep.equal(notDone);
      expect(readdirSync(join(workshop.root, 'home'), { recursive: true }).length).to.equal(before);
      expect(existsSync(join(workshop.root, 'none'))).to.equal(false);
    });
  }
});
