/** GM/T 0014 on the wire: over HTTP and over TCP on a real instance, and what a bad peer gets. */
import { connect, type Socket } from 'node:net';
import { expect } from 'chai';
import type { KeyHandle } from '../../src/crypto/engine.ts';
import { listenForCas, type CaKmcLimits, type CaKmcListener } from '../../src/http/ca-kmc-listener.ts';
import { frameOf, FrameReader } from '../../src/http/frame-reader.ts';
import type { Refusal } from '../../src/http/ports.ts';
import { RateLimiter } from '../../src/http/rate-limit.ts';
import { verifyProtocolMessage } from '../../src/x509/ca-kmc/protocol-message.ts';
import { parseKmcResponse } from '../../src/x509/ca-kmc/response.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';
import { applyRequest, errorNumbers, makeCaSide, registerCa, signedMessage, type CaSide } from '../fixtures/ca-side.ts';
import { testInstance } from '../fixtures/instance.ts';
import { forEachDatabase } from '../store/databases.ts';
import { LiveService } from './live-service.ts';

const TYPE = { 'content-type': 'application/octet-stream' };

forEachDatabase('GM/T 0014 on the wire', (fixture) => {
  const test = testInstance(fixture);
  let live: LiveService;
  let ca: CaSide;
  let user: KeyHandle;

  beforeEach(async () => {
    live = await LiveService.start(test());
    ca = await makeCaSide(test(), 'Province CA');
    user = await test().instance.engine.generateKeyPair('SM2');
    await registerCa(test(), 'province-ca', ca);
  });
  afterEach(() => live.close());

  const post = (body: Buffer, headers: Record<string, string> = TYPE) =>
    fetch(`${live.url}/api/v1/kmc`, { method: 'POST', headers, body: new Uint8Array(body) });

  it('answers over HTTP under the certificate that it shows, refusals too', async () => {
    const shown = await fetch(`${live.url}/api/v1/kmc/certificate`);
    const kmc = parseCertificate(Buffer.from(await shown.arrayBuffer()));
    const message = await signedMessage(test(), ca, [applyRequest(user.spki)], { task: 9n });
    const reply = await post(message);
    expect(reply.status).to.equal(200);
    expect(reply.headers.get('content-type')).to.equal('application/octet-stream');
    const answer = parseKmcResponse(Buffer.from(await reply.arrayBuffer()));
    expect(verifyProtocolMessage(answer.message, kmc.spki)).to.equal(true);
    expect(answer.task).to.equal(9n);
    expect(answer.responses[0]?.kind).to.equal('apply');
    const stranger = await makeCaSide(test(), 'Nobody');
    const refused = await post(await signedMessage(test(), stranger, [applyRequest(user.spki)]));
    expect(refused.status).to.equal(200);
    expect(errorNumbers(parseKmcResponse(Buffer.from(await refused.arrayBuffer())).responses)).to.deep.equal([2]);
    const [count] = live.instance.tally.completed(new Date(Date.now() + 120_000));
    expect(count).to.include({ code: 'E_UNAUTHENTICATED', operation: 'postCaKmc', count: 1 });
  });

  it('answers HTTP in the form of problems where there is no message to answer', async () => {
    const message = await signedMessage(test(), ca, [applyRequest(user.spki)]);
    expect((await post(message, { 'content-type': 'application/json' })).status).to.equal(415);
    expect((await post(Buffer.alloc(0))).status).to.equal(400);
    expect((await post(Buffer.alloc(300_000))).status).to.equal(413);
    live.instance.keystore.seal();
    const sealed = await post(message);
    expect(sealed.status).to.equal(503);
    expect(await sealed.json()).to.include({ code: 'E_SEALED' });
  });

  describe('over TCP', () => {
    let listener: CaKmcListener;
    let refusals: Refusal[];
    const open: Socket[] = [];

    async function start(limits?: CaKmcLimits, requests = 1_000): Promise<void> {
      refusals = [];
      const source = new RateLimiter({ requests, seconds: 60 });
      const ports = {
        limits: { source, identity: source, application: source },
        logFault: () => undefined,
        recordRefusal: (refusal: Refusal) => Promise.resolve(void refusals.push(refusal)),
      };
      listener = await listenForCas(live.instance, ports, { host: '127.0.0.1', port: 0 }, limits);
    }

    afterEach(async () => {
      for (const socket of open.splice(0)) socket.destroy();
      await listener.close();
    });

    /** A connection whose answers come as frames, and whose end can be awaited. */
    function peer(): { socket: Socket; frame(): Promise<Buffer>; ended: Promise<void> } {
      const socket = connect(Number(new URL(listener.url).port), '127.0.0.1');
      open.push(socket);
      const reader = new FrameReader(2 ** 20);
      const waiting: ((frame: Buffer) => void)[] = [];
      socket.on('data', (chunk: Buffer) => {
        reader.push(chunk);
        for (let frame = reader.next(); frame !== undefined; frame = reader.next()) waiting.shift()?.(frame);
      });
      socket.on('error', () => undefined);
      const ended = new Promise<void>((resolve) => {
        socket.once('close', () => resolve());
      });
      return { socket, frame: () => new Promise((resolve) => waiting.push(resolve)), ended };
    }

    it('answers frame after frame, however they are cut, in their order', async () => {
      await start();
      const { socket, frame } = peer();
      const messages = await Promise.all(
        [1n, 2n, 3n].map((task) => signedMessage(test(), ca, [applyRequest(user.spki)], { task })),
      );
      const answers = [frame(), frame(), frame()];
      const octets = Buffer.concat(messages.map(frameOf));
      for (let at = 0; at < octets.length; at += 700) {
        socket.write(octets.subarray(at, at + 700));
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      const read = (await Promise.all(answers)).map((der) => parseKmcResponse(der));
      expect(read.map(({ task }) => task)).to.deep.equal([1n, 2n, 3n]);
      expect(read.flatMap(({ responses }) => errorNumbers(responses))).to.deep.equal([0, 0, 0]);
    });

    it('answers garbage in a frame with an error, and closes on an empty or endless frame', async () => {
      await start();
      const first = peer();
      const answer = first.frame();
      first.socket.write(frameOf(Buffer.from('GET / HTTP/1.1')));
      expect(errorNumbers(parseKmcResponse(await answer).responses)).to.deep.equal([1]);
      for (const header of ['00000000', 'ffffffff', '00040001']) {
        const other = peer();
        other.socket.write(Buffer.from(header, 'hex'));
        await other.ended;
      }
      expect(refusals.map(({ code }) => code)).to.deep.equal(['E_SIZE', 'E_SIZE', 'E_SIZE']);
    });

    it('closes on a peer that begins a frame and does not end it, on an idle one, and on one too many', async () => {
      await start({ frame: 150, idle: 400, connections: 2 });
      const slow = peer();
      const began = Date.now();
      slow.socket.write(Buffer.from('00000400', 'hex'));
      const drip = setInterval(() => slow.socket.write(Buffer.from([0])), 40);
      await slow.ended;
      clearInterval(drip);
      expect(Date.now() - began).to.be.within(140, 2_000);
      expect(refusals).to.deep.equal([]);
      const [idle, second, third] = [peer(), peer(), peer()];
      await third.ended;
      await Promise.all([idle.ended, second.ended]);
    });

    it('closes on a source that sends too often, and while the keystore is sealed', async () => {
      await start(undefined, 1);
      const message = await signedMessage(test(), ca, [applyRequest(user.spki)]);
      const eager = peer();
      const answer = eager.frame();
      eager.socket.write(Buffer.concat([frameOf(message), frameOf(message)]));
      await answer;
      await eager.ended;
      expect(refusals.map(({ code }) => code)).to.deep.equal(['E_RATE']);
      await listener.close();
      await start();
      live.instance.keystore.seal();
      const late = peer();
      late.socket.write(frameOf(message));
      await late.ended;
    });
  });
});
