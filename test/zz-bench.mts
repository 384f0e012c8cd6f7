import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestInstance } from '/work/main/test/fixtures/instance.ts';
import { readyDevice } from '/work/main/test/fixtures/enrolling.ts';
import { enrolDevice } from '/work/main/src/flows/enrolments/enrol-device.ts';
import { KEY_ALGORITHMS, SIGNATURE_ALGORITHMS, verifySignature } from '/work/main/src/crypto/algorithms.ts';
import { theEstate } from '/work/main/test/fixtures/estate.ts';
await theEstate();
let t0 = performance.now();
const url = `sqlite:${join(mkdtempSync(join(tmpdir(), 'b-')), 'k.sqlite')}`;
const test = await TestInstance.make(url);
console.log('make', (performance.now() - t0).toFixed(0), 'ms');
const N = 200, CONC = 32;
const ready = [];
for (let i = 0; i < N; i++) ready.push(await readyDevice(test, `gw-${i}`));
// crypto-only costs measured
const sm2ops = async () => {
  const { engine } = test.instance;
  const kek = test.instance.keystore.currentKek('escrow-store');
  const a = test.estate.issuing.key;
  const { parseCsr, verifyProofOfPossession } = await import('/work/main/src/x509/csr.ts');
  const c0 = process.cpuUsage();
  for (let i = 0; i < 50; i++) {
    const r = ready[i]!;
    verifySignature('SM2-SM3', r.key.spki, Buffer.alloc(200, i), Buffer.from('3044022000000000000000000000000000000000000000000000000000000000000000010220000000000000000000000000000000000000000000000000000000000000000f'.replace(/^3044/, '3044'), 'hex'));
    const k = await engine.generateKeyPair('SM2');
    await engine.envelopeKey(k, r.key.spki);
    await engine.sign(a, 'SM2-SM3', Buffer.alloc(600, i));
    await engine.sign(a, 'SM2-SM3', Buffer.alloc(600, i + 1));
    engine.destroyKey(k);
  }
  const c1 = process.cpuUsage(c0);
  return (c1.user + c1.system) / 1000 / 50;
};
for (let i = 0; i < 20; i++) await enrolDevice(test.instance, ready[i]!.input);
const sm2 = await sm2ops();
const { serve } = { serve: null as never };
const c0 = process.cpuUsage(), w0 = performance.now();
let next = 20;
await Promise.all(Array.from({ length: CONC }, async () => { while (next < N) { const r = ready[next++]!; await enrolDevice(test.instance, r.input); } }));
const c1 = process.cpuUsage(c0), n = N - 20;
const per = (c1.user + c1.system) / 1000 / n;
console.log({ perEnrolMsCpu: per.toFixed(2), sm2: sm2.toFixed(2), outside: (per - sm2).toFixed(2), wallPer: ((performance.now() - w0) / n).toFixed(2) });
await test.stop();
