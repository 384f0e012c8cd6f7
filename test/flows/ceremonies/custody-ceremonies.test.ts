/** Reshare, restore, destroy and bundle-signing, from the shipped templates, on real files and a real database. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { unsealWith } from '../../../src/cli/unseal-here.ts';
import { encodePem } from '../../../src/crypto/asn1/pem.ts';
import { SIGNATURE_ALGORITHMS } from '../../../src/crypto/algorithms.ts';
import { spkiSm3 } from '../../../src/crypto/spki.ts';
import { signedBytes } from '../../../src/domain/signed-body.ts';
import { importCeremony } from '../../../src/flows/ceremonies/import-ceremony.ts';
import { makePersonalCertificate } from '../../../src/flows/ceremonies/make-personal-certificate.ts';
import type { Participant } from '../../../src/flows/ceremonies/participant.ts';
import { rehearseCeremony } from '../../../src/flows/ceremonies/rehearse-ceremony.ts';
import { readEnvironment } from '../../../src/config/environment.ts';
import { openRehearsal } from '../../../src/main/rehearsal.ts';
import { refusalFrom } from '../../domain/refusal.ts';
import { Workshop } from './workshop.ts';

const SYSTEM = { type: 'system', id: 'kmc' } as const;
const NUMBERS = [1, 2, 3, 4, 5];

describe('ceremonies of custody', function custody() {
  this.timeout(240_000);
  let workshop: Workshop;
  /** The custodians with the shares that kmc-init handed out. */
  let firstHolders: readonly Participant[];
  let values: ReadonlyMap<string, string> = new Map();

  before(async () => {
    workshop = await Workshop.open();
    await workshop.hold('kmc-init');
    firstHolders = [...workshop.people.values()];
    await workshop.hold('ca-root');
    await unsealWith(workshop.instance, firstHolders);
    await importCeremony({ ...workshop.instance, folder: workshop.ports('ca-root').folder }, SYSTEM);
    bringRecipients();
  });
  after(() => workshop.close());

  function bringRecipients(): void {
    for (const number of NUMBERS) {
      workshop.input(`recipient-${number}.cer`, workshop.person(`custodian-${number}`).certificate);
    }
  }
  const keystore = () => join(workshop.root, 'home', 'ceremony');
  const hold = (template: string) => workshop.hold(template, { values });

  /** Without the holder who gave a wrong share: who did has to wait. */
  const unsealWithout = () => unsealWith(workshop.instance, [...workshop.people.values()].slice(1));

  it('a reshare makes every old share void; an old one is named before any key is put together', async () => {
    await hold('reshare');
    // An old share in the place of the new one of the second custodian.
    const people = new Map(workshop.people);
    const old = firstHolders.find((one) => one.name === 'custodian-2');
    people.set('custodian-2', { ...people.get('custodian-2')!, shares: old?.shares ?? {} });
    const kept = workshop.people;
    workshop.people = people;
    const refusal = await refusalFrom(
      workshop.hold('ca-root', { change: (text) => text.replaceAll('sm2-root', 'late') }),
    );
    workshop.people = kept;
    expect(refusal?.code).to.equal('E_SHARE_SET');
    expect(refusal?.message).to.match(/shares: \d+ \(of another share set\)/);
    workshop.instance.keystore.seal();
    expect((await refusalFrom(unsealWith(workshop.instance, firstHolders)))?.code).to.equal('E_SHARE_SET');
    await unsealWithout();
  });

  it('the service keystore is not reshared to somebody who is no custodian of the instance', async () => {
    const { engine } = workshop.instance;
    const key = await engine.generateKeyPair('SM2');
    const stranger = { id: 'p-stranger', name: 'A Stranger', unit: 'Nowhere', organisation: 'Nobody' };
    const certificate = await makePersonalCertificate(engine, key, stranger, new Date());
    workshop.input('recipient-5.cer', certificate);
    const people = new Map([
      ...workshop.people,
      ['custodian-5', { name: 'custodian-5', key, certificate, shares: {} }],
    ]);
    const kept = workshop.people;
    workshop.people = people;
    const refusal = await refusalFrom(
      workshop.hold('reshare', { change: (text) => text.replace('id: reshare', 'id: reshare-to-stranger'), values }),
    );
    workshop.people = kept;
    bringRecipients();
    expect(refusal?.code).to.equal('E_FORBIDDEN');
    // Nothing was changed before: the shares at hand open what they opened.
    workshop.instance.keystore.seal();
    await unsealWithout();
  });

  it('restore takes the backup of a bundle into an empty folder, checks every key, and goes on above the lost epoch', async () => {
    // A backup of the keystore as it is now, with the new shares; then another key is made, and the medium is lost.
    await workshop.hold('ca-root', { change: (text) => text.replaceAll('sm2-root', 'second') });
    workshop.input('ceremony.keystore', workshop.output('second', 'ceremony.keystore'));
    const lastEpoch = Number(workshop.previous?.closing.after.ceremonyEpoch);
    const occupied = await refusalFrom(
      workshop.hold('restore', { change: (text) => text.replace('id: restore', 'id: restore-early') }),
    );
    expect(occupied?.code).to.equal('E_EXISTS');
    renameSync(keystore(), `${keystore()}.lost`);
    const damaged = readFileSync(join(workshop.root, 'inputs', 'ceremony.keystore'));
    const octet = damaged.indexOf('"bytes":"') + 20;
    damaged[octet] = damaged[octet] === 0x41 ? 0x42 : 0x41;
    workshop.input('damaged.keystore', damaged);
    const whole = readFileSync(join(workshop.root, 'inputs', 'ceremony.keystore'));
    workshop.input('ceremony.keystore', damaged);
    const refused = await refusalFrom(hold('restore'));
    expect(refused?.code).to.equal('E_INTEGRITY');
    expect(existsSync(keystore())).to.equal(false);
    workshop.input('ceremony.keystore', whole);
    const bundle = await hold('restore');
    expect(Number(bundle.closing.after.ceremonyEpoch)).to.equal(lastEpoch + 1);
    expect(readdirSync(join(keystore(), 'root')).map((name) => name.split('.')[0])).to.deep.equal([
      'second',
      'sm2-root',
    ]);
    // The lost medium comes back: it is not the keystore of the last ceremony any more.
    renameSync(keystore(), `${keystore()}.restored`);
    renameSync(`${keystore()}.lost`, keystore());
    const rolledBack = await refusalFrom(
      workshop.hold('ca-root', { change: (text) => text.replaceAll('sm2-root', 'third') }),
    );
    expect(rolledBack?.code).to.equal('E_ROLLBACK');
    rmSync(keystore(), { recursive: true });
    renameSync(`${keystore()}.restored`, keystore());
  });

  it('destroy leaves evidence in the place of the key, its id is never used again, and the service retires the root', async () => {
    values = new Map([
      ['key', 'sm2-root'],
      ['reason', 'the hierarchy has ended'],
    ]);
    await hold('destroy');
    const evidence = JSON.parse(workshop.output('destroy', 'destroyed.json').toString('utf8')) as Record<
      string,
      unknown
    >;
    expect(evidence).to.include({ key: 'sm2-root', reason: 'the hierarchy has ended', instance: workshop.instance.id });
    expect(readdirSync(join(keystore(), 'root')).map((name) => name.split('.')[0])).to.deep.equal(['second']);
    await unsealWithout();
    await importCeremony({ ...workshop.instance, folder: workshop.ports('destroy').folder }, SYSTEM);
    const root = await workshop.instance.database.read((reader) => reader.authorities.find('sm2-root'));
    expect(root?.state).to.equal('retired');
    rmSync(workshop.folder('ca-root'), { recursive: true });
    expect((await refusalFrom(workshop.hold('ca-root')))?.code).to.equal('E_EXISTS');
  });

  it('bundle signers sign a manifest in the form of the contract, and openssl verifies each signature', async () => {
    const file = readFileSync(join(import.meta.dirname, '../../fixtures/manifest-body.json'));
    const body = JSON.parse(file.toString('utf8')) as object;
    workshop.input('manifest-body.json', file);
    await hold('bundle-signing');
    const manifest = JSON.parse(workshop.output('bundle-signing', 'manifest.json').toString('utf8')) as {
      body: object;
      signatures: { kid: string; sig: string }[];
    };
    expect(manifest.body).to.deep.equal(body);
    expect(manifest.signatures).to.have.length(5);
    const scratch = join(workshop.root, 'openssl');
    mkdirSync(scratch);
    writeFileSync(join(scratch, 'body'), signedBytes('bundle', body));
    for (const { kid, sig } of manifest.signatures) {
      const signer = [...workshop.people.values()].find((one) => spkiSm3(one.key.spki) === kid)!;
      expect(signer.name).to.match(/^signer-/);
      writeFileSync(join(scratch, 'key'), encodePem('PUBLIC KEY', signer.key.spki));
      writeFileSync(join(scratch, 'sig'), SIGNATURE_ALGORITHMS['SM2-SM3'].fromRaw(Buffer.from(sig, 'base64')));
      const options = ['-rawin', '-digest', 'sm3', '-pkeyopt', 'distid:1234567812345678'];
      const files = ['-inkey', 'key', '-in', 'body', '-sigfile', 'sig'];
      const text = execFileSync('openssl', ['pkeyutl', '-verify', '-pubin', ...files, ...options], {
        cwd: scratch,
        encoding: 'utf8',
      });
      expect(text).to.include('Success');
    }
  });

  for (const template of ['reshare', 'destroy', 'bundle-signing']) {
    it(`${template} is rehearsed with throw-away keys`, async () => {
      const place = await openRehearsal(readEnvironment({ home: join(workshop.root, 'none') }, {}));
      try {
        const { file } = workshop.prepare(template, (text) => text, values);
        const { bundle } = await rehearseCeremony(place, { file, inputs: workshop.inputs });
        expect(bundle.plan.type).to.equal(template);
      } finally {
        await place.remove();
      }
    });
  }
});
