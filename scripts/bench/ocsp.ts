/** OCSP over HTTP: answers signed in advance, and answers with a nonce of the caller's, signed while it waits. */
import { randomBytes } from 'node:crypto';
import { Agent, request as httpRequest } from 'node:http';
import { contextExplicit, octetString, oid, sequence } from '../../src/crypto/asn1/der.ts';
import { OID } from '../../src/crypto/asn1/oids.ts';
import { renewResponders } from '../../src/flows/ocsp/renew-responders.ts';
import { CertIdIssuer, encodeCertId } from '../../src/x509/ocsp/cert-id.ts';
import { SYSTEM, TestInstance } from '../../test/fixtures/instance.ts';
import { LiveService } from '../../test/http/live-service.ts';
import { openPlace } from './database-place.ts';
import { summarize, type Benchmark, type BenchOptions, type Measurement } from './harness.ts';

const PARALLEL = 16;
const NONCE_OCTETS = 32;
const UNLIMITED = { requests: 1_000_000_000, seconds: 10 };

type Ask = () => Buffer;

function post(url: string, agent: Agent, body: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/ocsp-request', 'content-length': body.length };
    const sent = httpRequest(`${url}/ocsp`, { method: 'POST', agent, headers }, (answer) => {
      let octets = 0;
      answer.on('data', (chunk: Buffer) => void (octets += chunk.length));
      answer.on('end', () => resolve(octets));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Answers a second, asked for by several callers at a time. */
async function answersPerSecond(url: string, agent: Agent, ask: Ask, milliseconds: number): Promise<[number, number]> {
  const end = performance.now() + milliseconds;
  const start = performance.now();
  let count = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() < end) {
      // A refusal has 5 octets.
      if ((await post(url, agent, ask())) < 100) throw new Error('an OCSP request of the benchmark was refused');
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, caller));
  return [(count * 1000) / (performance.now() - start), count];
}

function asking(certId: Buffer): { readonly kept: Ask; readonly live: Ask } {
  const list = sequence(sequence(certId));
  const kept = sequence(sequence(list));
  const withNonce = () => {
    const nonce = octetString(octetString(randomBytes(NONCE_OCTETS)));
    return sequence(sequence(list, contextExplicit(2, sequence(sequence(oid(OID.ocspNonce), nonce)))));
  };
  return { kept: () => kept, live: withNonce };
}

async function answers(kind: 'kept' | 'live', { quick }: BenchOptions): Promise<Measurement | undefined> {
  const place = await openPlace('sqlite');
  if (place === undefined) return undefined;
  const test = await TestInstance.make(place.url);
  const service = await LiveService.start(test, {
    limits: { source: UNLIMITED, identity: UNLIMITED, application: UNLIMITED },
  });
  const agent = new Agent({ keepAlive: true, maxSockets: PARALLEL });
  try {
    await renewResponders(test.instance, SYSTEM);
    const [row] = await test.database.read((reader) =>
      reader.certificates.list({ authorityId: 'sm2-issuing' }, { limit: 1 }),
    );
    const { subject, spki } = test.estate.issuing.certificate;
    const issuer = new CertIdIssuer({ name: subject.der, spki });
    const ask = asking(encodeCertId('sha1', issuer, row?.serialNumber ?? ''))[kind];
    const milliseconds = quick ? 300 : 2_000;
    await answersPerSecond(service.url, agent, ask, milliseconds);
    const rates: number[] = [];
    let n = 0;
    for (let round = 0; round < (quick ? 3 : 5); round += 1) {
      const [rate, count] = await answersPerSecond(service.url, agent, ask, milliseconds);
      rates.push(rate);
      n += count;
    }
    return summarize(rates, 'answers/s', n);
  } finally {
    agent.destroy();
    await service.close();
    await test.stop();
    await place.release();
  }
}

export const ocspBenchmarks: readonly Benchmark[] = [
  {
    name: 'ocsp.answer',
    what: `OCSP answers signed in advance, a second, over HTTP POST by ${PARALLEL} callers in the same process`,
    run: (options) => answers('kept', options),
  },
  {
    name: 'ocsp.answer.live',
    what: 'the same with a nonce of 32 octets: signed with SM2 while the caller waits',
    run: (options) => answers('live', options),
  },
];
