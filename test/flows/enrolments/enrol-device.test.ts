import { expect } from 'chai';
import { requireValidPath } from '../../../src/x509/path.ts';
import { parseCertificate } from '../../../src/x509/certificate.ts';
import { parseCsrResponse } from '../../../src/x509/csr-response.ts';
import { lintPair } from '../../../src/x509/lint/lint-pair.ts';
import { EXTENSIONS, extensionOf } from '../../../src/x509/extensions.ts';
import { encodeName } from '../../../src/x509/name.ts';
import { spkiSm3 } from '../../../src/crypto/spki.ts';
import { readAlternativeNames } from '../../../src/domain/device.ts';
import { escrowedKeyContext } from '../../../src/domain/keystore/blob-context.ts';
import { enrolDevice, type EnrolDeviceInput } from '../../../src/flows/enrolments/enrol-device.ts';
import type { EnrolmentAnswer } from '../../../src/flows/enrolments/enrolment-answer.ts';
import type { Database, Transaction } from '../../../src/flows/ports/database.ts';
import { refusal } from '../../crypto/refusal.ts';
import { macOf, readyDevice, registered, requestFor, tokenFor } from '../../fixtures/enrolling.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import gm from '../../vectors/gm-vectors.json' with { type: 'json' };

const HOUR = 3_600;

function octetsOf(answer: EnrolmentAnswer): string {
  const { signCertificate, encCertificate, envelopedKey, csrResponse, chain } = answer;
  return [signCertificate, encCertificate, envelopedKey, csrResponse, ...chain]
    .map((der) => der.toString('hex'))
    .join();
}

forEachDatabase('the enrolment of a device', (fixture) => {
  const test = testInstance(fixture);

  async function enrol(input: EnrolDeviceInput): Promise<EnrolmentAnswer> {
    const outcome = await enrolDevice(test().instance, input);
    if (outcome.state !== 'ISSUED') throw new Error(`it is ${outcome.state}`);
    return outcome.answer;
  }

  /** What the database holds of devices: the counts that belong together. */
  async function counts(): Promise<Record<string, number>> {
    const one = async (statement: string): Promise<number> => Number((await fixture.sql(statement))[0]?.['n']);
    return {
      certificates: await one('select count(*) as n from certificates where device_id is not null'),
      escrowed: await one('select count(*) as n from escrowed_keys'),
      enrolments: await one('select count(*) as n from enrolments'),
      used: await one("select count(*) as n from enrolment_tokens where state = 'used'"),
      inService: await one("select count(*) as n from devices where status = 'in-service'"),
    };
  }

  const NONE = { certificates: 0, escrowed: 0, enrolments: 0, used: 0, inService: 0 };
  const ONE = { certificates: 2, escrowed: 1, enrolments: 1, used: 1, inService: 1 };

  it('gives a pair that the root vouches for, and escrows the encryption key with it', async () => {
    const { instance, estate, database } = test();
    const ready = await readyDevice(test(), 'gw-1');
    const answer = await enrol(ready.input);
    const sign = parseCertificate(answer.signCertificate);
    const enc = parseCertificate(answer.encCertificate);
    lintPair(sign, enc);
    expect(sign.spki.equals(ready.key.spki)).to.equal(true);
    expect(sign.subject.der.equals(ready.device.subject)).to.equal(true);
    const intermediates = answer.chain.map((der) => parseCertificate(der));
    const anchors = [estate.root.certificate];
    const at = test().clock.now();
    requireValidPath({ leaf: sign, intermediates, anchors, at, purpose: 'tlcp-sign' });
    requireValidPath({ leaf: enc, intermediates, anchors, at, purpose: 'tlcp-enc' });
    const parts = parseCsrResponse(answer.csrResponse);
    expect(parts.encryption?.envelopedKey.equals(answer.envelopedKey)).to.equal(true);
    const opened = await instance.engine.openEnvelopedKey(ready.key, answer.envelopedKey);
    expect(opened.spki.equals(enc.spki)).to.equal(true);
    const row = await database.read((reader) => reader.escrowedKeys.findByCertificate('sm2-issuing', enc.serialNumber));
    const kek = await instance.keystore.kek('escrow-store', row!.kekVersion);
    const escrowed = await instance.engine.openKey(kek, escrowedKeyContext(row!.id, 1), row!.sealedKey!);
    expect(escrowed.spki.equals(enc.spki)).to.equal(true);
    expect(row?.owner).to.include({ deviceId: 'gw-1', recipientSpkiSm3: spkiSm3(ready.key.spki) });
    expect(await counts()).to.deep.equal(ONE);
    const acts = (await test().history('device', 'gw-1')).map(({ act }) => act);
    expect(acts).to.deep.equal(['device.register', 'token.issue', 'enrolment.complete']);
  });

  it('never escrows a signing key: the schema refuses it', async () => {
    const ready = await readyDevice(test(), 'gw-1');
    await enrol(ready.input);
    const change = fixture.sql("update escrowed_keys set usage = 'signing', last_audit_event = 'x'");
    expect(
      await change.then(
        () => 'done',
        () => 'refused',
      ),
    ).to.equal('refused');
    const signing = spkiSm3(ready.key.spki);
    expect(await fixture.sql('select id from escrowed_keys where spki_sm3 = ?', [signing])).to.deep.equal([]);
  });

  it('answers the same token and key alike for 72 hours, and another key never', async () => {
    const { instance } = test();
    const ready = await readyDevice(test(), 'gw-1');
    const first = await enrol(ready.input);
    const rebuilt = await requestFor(instance.engine, ready.device, ready.key);
    expect(rebuilt.equals(ready.csr)).to.equal(false);
    for (const csr of [ready.csr, rebuilt]) {
      const again = await enrol({ ...ready.input, csr, tokenMac: macOf(ready.token, csr) });
      expect(octetsOf(again)).to.equal(octetsOf(first));
    }
    const otherKey = await instance.engine.generateKeyPair('SM2');
    const other = await requestFor(instance.engine, ready.device, otherKey);
    await refusal('E_TOKEN', () => enrol({ ...ready.input, csr: other, tokenMac: macOf(ready.token, other) }));
    test().clock.advance(72 * HOUR - 60);
    expect(octetsOf(await enrol(ready.input))).to.equal(octetsOf(first));
    test().clock.advance(61);
    await refusal('E_TOKEN', () => enrol(ready.input));
    expect(await counts()).to.deep.equal(ONE);
  });

  it('sixteen at the same time get one pair', async () => {
    const ready = await readyDevice(test(), 'gw-1');
    const answers = await Promise.all(Array.from({ length: 16 }, () => enrol(ready.input)));
    expect(new Set(answers.map(octetsOf)).size).to.equal(1);
    expect(await counts()).to.deep.equal(ONE);
  });

  it('of two keys that come with one token at the same time one gets in', async () => {
    const { instance } = test();
    const ready = await readyDevice(test(), 'gw-1');
    const inputs: EnrolDeviceInput[] = [ready.input];
    for (let more = 0; more < 3; more += 1) {
      const csr = await requestFor(instance.engine, ready.device, await instance.engine.generateKeyPair('SM2'));
      inputs.push({ deviceId: 'gw-1', csr, tokenMac: macOf(ready.token, csr) });
    }
    const results = await Promise.allSettled(inputs.map(enrol));
    expect(results.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).to.include({ code: 'E_TOKEN' });
    expect(await counts()).to.deep.equal(ONE);
  });

  it('a hundred wrong proofs at once: five are compared, then the token is locked for 15 minutes', async () => {
    const ready = await readyDevice(test(), 'gw-1');
    const wrong = { ...ready.input, tokenMac: Buffer.alloc(32, 7) };
    const results = await Promise.allSettled(Array.from({ length: 100 }, () => enrol(wrong)));
    const texts = results.map((result) => (result.status === 'rejected' ? String(result.reason) : 'let in'));
    expect(new Set(texts).size).to.equal(1);
    expect(texts[0]).to.include('token');
    const history = await test().history('token', ready.issued.token.id);
    expect(history.map(({ act }) => act)).to.deep.equal([
      'token.issue',
      ...Array.from({ length: 4 }, () => 'token.attempt'),
      'token.lock',
    ]);
    const locked = await refusal('E_TOKEN', () => enrol(ready.input));
    expect(`${locked.name}: ${locked.message}`).to.equal(texts[0]);
    test().clock.advance(15 * 60 - 30);
    await refusal('E_TOKEN', () => enrol(ready.input));
    expect(await counts()).to.deep.equal(NONE);
    test().clock.advance(31);
    await enrol(ready.input);
    expect(await counts()).to.deep.equal(ONE);
  });

  it('four wrong proofs and a right one do not lock it', async () => {
    const ready = await readyDevice(test(), 'gw-1');
    for (let wrong = 0; wrong < 4; wrong += 1) {
      await refusal('E_TOKEN', () => enrol({ ...ready.input, tokenMac: Buffer.alloc(32) }));
    }
    await enrol(ready.input);
    for (let wrong = 0; wrong < 4; wrong += 1) {
      await refusal('E_TOKEN', () => enrol({ ...ready.input, tokenMac: Buffer.alloc(wrong) }));
    }
    await enrol(ready.input);
  });

  it('refuses with one text whatever is wrong with the token', async () => {
    const { instance } = test();
    const one = await readyDevice(test(), 'gw-1');
    const two = await readyDevice(test(), 'gw-2', { serial: 'SN-2' });
    const bound = await tokenFor(test(), 'gw-2', { boundSpkiSm3: spkiSm3(one.key.spki) });
    const texts = new Set<string>();
    const refused = async (input: EnrolDeviceInput): Promise<void> => {
      texts.add((await refusal('E_TOKEN', () => enrol(input))).message);
    };
    await refused({ ...one.input, deviceId: 'gw-none' });
    await refused({ ...one.input, tokenMac: macOf(two.token, one.csr) });
    await refused({ ...two.input, tokenMac: two.input.tokenMac }); // the earlier token, revoked by the new one
    await refused({ ...two.input, tokenMac: macOf(bound.token, two.csr) }); // bound to another key
    await refused({ ...one.input, csr: two.csr }); // another request under the same proof
    test().clock.advance(72 * HOUR + 1);
    await refused(one.input);
    expect(texts.size).to.equal(1);
    expect(await counts()).to.deep.equal(NONE);
    expect(instance.keystore.state).to.equal('UNSEALED');
  });

  it('refuses names that were not registered, and records it', async () => {
    const { instance } = test();
    const { engine } = instance;
    const ready = await readyDevice(test(), 'gw-1');
    const names = readAlternativeNames(ready.device.alternativeNames);
    const san = extensionOf(EXTENSIONS.subjectAltName, [...names, { type: 'dNSName', value: 'evil.example.cn' }]);
    for (const plan of [{ extensions: [san] }, { subject: encodeName([{ type: 'CN', value: 'x' }]) }]) {
      const csr = await requestFor(engine, ready.device, ready.key, plan);
      await refusal('E_POLICY', () => enrol({ ...ready.input, csr, tokenMac: macOf(ready.token, csr) }));
    }
    const refusals = (await test().history('device', 'gw-1')).filter(({ act }) => act === 'enrolment.request');
    expect(refusals.map(({ out, code }) => [out, code])).to.deep.equal([
      ['denied', 'E_POLICY'],
      ['denied', 'E_POLICY'],
    ]);
    // What else a request asks for is a wish that the profile does not grant.
    const csr = await requestFor(engine, ready.device, ready.key, {
      extensions: [
        extensionOf(EXTENSIONS.subjectAltName, names),
        extensionOf(EXTENSIONS.basicConstraints, { ca: true }),
        extensionOf(EXTENSIONS.keyUsage, ['keyCertSign', 'cRLSign']),
      ],
    });
    const answer = await enrol({ ...ready.input, csr, tokenMac: macOf(ready.token, csr) });
    const sign = parseCertificate(answer.signCertificate);
    expect(sign.basicConstraints?.ca ?? false).to.equal(false);
    expect(sign.keyUsage).to.deep.equal(['digitalSignature', 'nonRepudiation']);
  });

  it('refuses keys that stand elsewhere: of a CA, a person, another device, blocked or revoked', async () => {
    const { instance, estate, people, database } = test();
    const { engine } = instance;
    const first = await readyDevice(test(), 'gw-1');
    const { signCertificate } = await enrol(first.input);
    const second = await readyDevice(test(), 'gw-2', { serial: 'SN-2' });
    const blocked = await engine.generateKeyPair('SM2');
    const event = (await test().history('device', 'gw-1'))[0]!.id;
    await database.transaction((tx) =>
      tx.blockedKeys.insert({
        spkiSm3: spkiSm3(blocked.spki),
        reason: 'test',
        blockedAt: test().clock.now(),
        auditEvent: event,
      }),
    );
    for (const key of [estate.issuing.key, estate.root.key, people.auditor.key, first.key, blocked]) {
      const csr = await requestFor(engine, second.device, key);
      await refusal('E_KEY_BLOCKED', () => enrol({ deviceId: 'gw-2', csr, tokenMac: macOf(second.token, csr) }));
    }
    const row = (await database.read((reader) => reader.certificates.findByKey(spkiSm3(first.key.spki))))[0]!;
    expect(row.certificate?.equals(signCertificate)).to.equal(true);
    await database.transaction((tx) =>
      tx.certificates.revoke(
        row.id,
        'good',
        { revokedAt: test().clock.now(), reason: 'keyCompromise', invalidityDate: undefined },
        event,
      ),
    );
    const { token } = await tokenFor(test(), 'gw-1');
    await refusal('E_KEY_BLOCKED', () => enrol({ ...first.input, tokenMac: macOf(token, first.csr) }));
  });

  it('refuses faulty requests before it looks at any token', async () => {
    const ready = await readyDevice(test(), 'gw-1');
    const altered = Buffer.from(ready.csr);
    altered[altered.length - 1]! ^= 1;
    const send = (csr: Buffer): Promise<EnrolmentAnswer> =>
      enrol({ ...ready.input, csr, tokenMac: macOf(ready.token, csr) });
    await refusal('E_POP', () => send(altered));
    await refusal('E_DER', () => send(Buffer.concat([ready.csr, Buffer.from([0])])));
    await refusal('E_DER', () => send(Buffer.from('3080', 'hex')));
    for (const vector of gm.csr.filter(({ verifies_with_id: ids }) => ids.length === 0)) {
      await refusal('E_POP', () => send(Buffer.from(vector.b64, 'base64')));
    }
    expect(await test().history('token', ready.issued.token.id)).to.have.length(1);
    expect(await counts()).to.deep.equal(NONE);
  });

  it('a device whose key was lost enrols anew with a new token; a sealed service enrols nobody', async () => {
    const { instance } = test();
    const ready = await readyDevice(test(), 'gw-1');
    await enrol(ready.input);
    const { token } = await tokenFor(test(), 'gw-1');
    const csr = await requestFor(instance.engine, ready.device, await instance.engine.generateKeyPair('SM2'));
    const input = { deviceId: 'gw-1', csr, tokenMac: macOf(token, csr) };
    await enrol(input);
    const twice = { ...ONE, certificates: 4, escrowed: 2, enrolments: 2, used: 2 };
    expect(await counts()).to.deep.equal(twice);
    const first = octetsOf(await enrol(ready.input));
    // A new token for a key that enrolled a short time ago brings the same certificates, and uses the token.
    const third = await tokenFor(test(), 'gw-1');
    const again = await enrol({ ...ready.input, tokenMac: macOf(third.token, ready.csr) });
    expect(octetsOf(again)).to.equal(first);
    expect(await counts()).to.deep.equal({ ...twice, used: 3 });
    instance.keystore.seal();
    await refusal('E_SEALED', () => enrol(input));
  });

  it('leaves nothing behind when it is cut short anywhere in its transaction', async () => {
    const { instance } = test();
    const ready = await readyDevice(test(), 'gw-1');
    const steps = ['enrolments', 'enrolmentTokens', 'certificates', 'escrowedKeys', 'devices', 'audit'] as const;
    for (const step of steps) {
      const database = cutShort(instance.database, step);
      await enrolDevice({ ...instance, database }, ready.input).then(
        () => expect.fail('it was let through'),
        (error: unknown) => expect(String(error)).to.include('cut short'),
      );
      expect(await counts(), step).to.deep.equal(NONE);
    }
    await enrol(ready.input);
    expect(await counts()).to.deep.equal(ONE);
  });

  it('registers nothing twice: the device is bound to its key', async () => {
    const ready = await readyDevice(test(), 'gw-1');
    await enrol(ready.input);
    const device = await test().database.read((reader) => reader.devices.find('gw-1'));
    expect(device).to.include({ status: 'in-service', spkiSm3: spkiSm3(ready.key.spki), version: 2 });
    await registered(test(), 'gw-2', { serial: 'SN-2' });
  });
});

/** A database whose enrolling transaction fails after it has written to that noun. */
function cutShort(database: Database, step: string): Database {
  return {
    read: (work) => database.read(work),
    snapshot: (work) => database.snapshot(work),
    transaction: (work) => database.transaction((tx) => work(failingAfter(tx, step))),
  };
}

function failingAfter(tx: Transaction, step: string): Transaction {
  let enrols = false;
  return new Proxy(tx, {
    get(target, noun: keyof Transaction) {
      enrols ||= noun === 'enrolments';
      return new Proxy(target[noun], {
        get(writer, method) {
          const member: unknown = Reflect.get(writer, method);
          if (typeof member !== 'function') return member;
          return async (...args: unknown[]) => {
            const result: unknown = await Reflect.apply(member, writer, args);
            if (enrols && noun === step) throw new Error('cut short');
            return result;
          };
        },
      });
    },
  });
}
