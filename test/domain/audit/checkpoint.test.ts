import { expect } from 'chai';
import * as fc from 'fast-check';
import { createSoftwareEngine } from '../../../src/crypto/software-engine.ts';
import { SIGNATURE_ALGORITHMS, verifyIndependently } from '../../../src/crypto/algorithms.ts';
import { sm3 } from '../../../src/crypto/gm/sm3.ts';
import type { KeyHandle } from '../../../src/crypto/engine.ts';
import {
  checkpointMessage,
  encodeNote,
  noteKeyId,
  parseNote,
  verifyNote,
  type NoteKey,
  type SignedNote,
} from '../../../src/domain/audit/checkpoint.ts';
import { KmcError } from '../../../src/errors.ts';
import { refusalOf } from '../refusal.ts';

const engine = createSoftwareEngine();
const checkpoint = { origin: 'kmc.example.org/audit/2026', size: 10_482_113, root: sm3(Buffer.from('root')) };

describe('checkpoints', () => {
  let handle: KeyHandle;
  let key: NoteKey;
  let note: SignedNote;

  before(async () => {
    handle = await engine.generateKeyPair('SM2');
    key = { name: checkpoint.origin, signer: 'log', spki: handle.spki };
    note = await sign(handle, key, 1_795_000_000);
  });

  async function sign(by: KeyHandle, as: NoteKey, time: number): Promise<SignedNote> {
    const der = await engine.sign(by, 'SM2-SM3', checkpointMessage(as.signer, time, checkpoint));
    const signature = SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(der);
    return { checkpoint, signatures: [{ name: as.name, keyId: noteKeyId(as), time, signature }] };
  }

  it('are three lines, a blank one, and a line for each signature', () => {
    const lines = encodeNote(note).split('\n');
    expect(lines.slice(0, 4)).to.deep.equal([checkpoint.origin, '10482113', checkpoint.root.toString('base64'), '']);
    expect(lines[4]).to.match(/^\u2014 kmc\.example\.org\/audit\/2026 [A-Za-z0-9+/]+={0,2}$/);
    const blob = Buffer.from(lines[4]!.split(' ')[2]!, 'base64');
    expect(blob.length).to.equal(4 + 8 + 64);
    expect(Number(blob.readBigUInt64BE(4))).to.equal(1_795_000_000);
  });

  it('have the key id SM3(name, newline, 0xff, type, point), first four octets', () => {
    const point = handle.spki.subarray(-65);
    const input = Buffer.concat([
      Buffer.from(`${key.name}\n`),
      Buffer.from([0xff]),
      Buffer.from('sm2-sm3-ckpt/v1'),
      point,
    ]);
    expect(noteKeyId(key)).to.deep.equal(sm3(input).subarray(0, 4));
    expect(noteKeyId({ ...key, signer: 'witness' })).not.to.deep.equal(noteKeyId(key));
  });

  it('are signed over type, time and body by genuine SM2, as a second implementation confirms', () => {
    const message = Buffer.from(
      `sm2-sm3-ckpt/v1\ntime 1795000000\n${checkpoint.origin}\n10482113\n${checkpoint.root.toString('base64')}\n`,
    );
    const der = SIGNATURE_ALGORITHMS['SM2-SM3'].fromRaw(note.signatures[0]!.signature);
    expect(verifyIndependently('SM2-SM3', handle.spki, message, der)).to.equal(true);
  });

  it('are read back as they were written', () => {
    expect(parseNote(encodeNote(note))).to.deep.equal(note);
    expect(verifyNote(parseNote(encodeNote(note)), key)?.time).to.equal(1_795_000_000);
  });

  it('unknown keys and foreign kinds of signature are passed over, a false one of a known key rejects the note', async () => {
    const other = await engine.generateKeyPair('SM2');
    const foreign = await sign(other, { ...key, spki: other.spki }, 1_795_000_000);
    expect(verifyNote(foreign, key)).to.equal(undefined);
    const mixed = { checkpoint, signatures: [...foreign.signatures, ...note.signatures] };
    expect(verifyNote(mixed, key)).not.to.equal(undefined);
    const text = encodeNote(note).replace(
      /\n$/,
      `\n\u2014 example.org/ed25519 ${Buffer.alloc(68, 1).toString('base64')}\n`,
    );
    expect(verifyNote(parseNote(text), key)).not.to.equal(undefined);
    const stolen = { ...foreign.signatures[0]!, keyId: noteKeyId(key) };
    expect(refusalOf(() => verifyNote({ checkpoint, signatures: [stolen] }, key))?.code).to.equal('E_SIGNATURE');
    const witness = { ...key, signer: 'witness' as const };
    const asWitness = { checkpoint, signatures: [{ ...note.signatures[0]!, keyId: noteKeyId(witness) }] };
    expect(refusalOf(() => verifyNote(asWitness, witness))?.code).to.equal('E_SIGNATURE');
  });

  it('in any other form are refused', () => {
    const text = encodeNote(note);
    const [origin, size, root, , line] = text.split('\n') as [string, string, string, string, string];
    const broken = [
      '',
      text.slice(0, -1),
      `${text}\n`,
      text.replaceAll('\n', '\r\n'),
      [origin, `0${size}`, root, '', line, ''].join('\n'),
      [origin, '-1', root, '', line, ''].join('\n'),
      [origin, '99999999999999999', root, '', line, ''].join('\n'),
      [origin, size, `${root}=`, '', line, ''].join('\n'),
      [origin, size, root.slice(4), '', line, ''].join('\n'),
      [origin, size, root, 'extension', '', line, ''].join('\n'),
      [origin, size, root, '', ''].join('\n'),
      [origin, size, root, '', line.replace('\u2014', '-'), ''].join('\n'),
      [origin, size, root, '', `${line}=`, ''].join('\n'),
      [origin.replace('kmc', 'k mc'), size, root, '', line, ''].join('\n'),
      text + line.repeat(200),
    ];
    for (const given of broken)
      expect(refusalOf(() => parseNote(given))?.code, given.slice(0, 200)).to.equal('E_SCHEMA');
  });

  it('whatever text comes, it is read to the same text or refused', () => {
    const text = encodeNote(note);
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.string({ maxLength: 2 }), (at, put) => {
        const altered = text.slice(0, at) + put + text.slice(at + 1);
        try {
          const parsed = parseNote(altered);
          if (parsed.signatures.length === 1) expect(encodeNote(parsed)).to.equal(altered);
        } catch (error) {
          expect(error).to.be.instanceOf(KmcError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
