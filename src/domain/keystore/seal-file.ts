/**
 * The seal file of a share set (security-and-faults 2.4, 2.5): who holds which share, the commitments that name a wrong
 * one before anything is combined, and the master key wrapped by the unseal key. Nothing in it is secret in clear.
 */
import type { ShareSetPublic } from '../../crypto/engine.ts';
import { KmcError } from '../../errors.ts';
import { ID } from '../id.ts';
import { decodeRecord, encodeRecord, type RecordFields } from './record-fields.ts';

export interface ShareHolder {
  /** Index of the share, 1..255. */
  readonly index: number;
  /** Id of the person. */
  readonly person: string;
  /** `sm3:<hex>` of the certificate (DER) whose key the share was encrypted to; the share names it too. */
  readonly certificate: string;
}

export interface SealFile {
  readonly set: ShareSetPublic;
  /** One for each share, by index; a person holds one share. */
  readonly holders: readonly ShareHolder[];
  /** Check value of the unseal key (2.3), 8 octets, by the set id. */
  readonly unsealCheckValue: Buffer;
  readonly masterVersion: number;
  /** Blob suite 1: the master key under the unseal key. */
  readonly wrappedMaster: Buffer;
}

const FORMAT = 'kmc-seal-shamir-1';
const MAX_BLOB = 4096;
const MAX_SHARES = 255;
const MAX_VERSION = 9999;

/** The bytes of a seal file. */
export function encodeSealFile(seal: SealFile): Buffer {
  const { setId, threshold, count, commitments } = seal.set;
  return encodeRecord({
    format: FORMAT,
    set: setId,
    threshold,
    count,
    shares: commitments.map(({ index, commitment }) => {
      const { person, certificate } = holderOfIndex(seal, index);
      return { index, commitment, person, certificate };
    }),
    unsealCheckValue: seal.unsealCheckValue.toString('hex'),
    masterVersion: seal.masterVersion,
    wrappedMaster: seal.wrappedMaster.toString('base64'),
  });
}

/**
 * Reads a seal file.
 * @param name what error texts call it.
 * @throws KmcError E_INTEGRITY when it is damaged or its numbers contradict each other.
 */
export function decodeSealFile(bytes: Buffer, name: string): SealFile {
  return decodeRecord(bytes, `The keystore file ${name}`, (fields) => {
    fields.choice('format', [FORMAT]);
    const shares = fields.list('shares', readShare);
    const seal: SealFile = {
      set: {
        setId: fields.text('set', /^[0-9a-f]{32}$/),
        threshold: fields.integer('threshold', 2, MAX_SHARES),
        count: fields.integer('count', 2, MAX_SHARES),
        commitments: shares.map(({ index, commitment }) => ({ index, commitment })),
      },
      holders: shares.map(({ index, person, certificate }) => ({ index, person, certificate })),
      unsealCheckValue: Buffer.from(fields.text('unsealCheckValue', /^[0-9a-f]{16}$/), 'hex'),
      masterVersion: fields.integer('masterVersion', 1, MAX_VERSION),
      wrappedMaster: fields.bytes('wrappedMaster', MAX_BLOB),
    };
    checkNumbers(seal, name);
    return seal;
  });
}

/** The holder of the share with this index. @throws KmcError E_INTEGRITY when the list has none. */
export function holderOfIndex(seal: Pick<SealFile, 'holders'>, index: number): ShareHolder {
  const holder = seal.holders.find((candidate) => candidate.index === index);
  if (holder === undefined) throw new KmcError('E_INTEGRITY', `The seal file names no holder of share ${index}.`);
  return holder;
}

function readShare(fields: RecordFields): ShareHolder & { commitment: string } {
  return {
    index: fields.integer('index', 1, MAX_SHARES),
    commitment: fields.text('commitment', /^[0-9a-f]{64}$/),
    person: fields.text('person', ID),
    certificate: fields.text('certificate', /^sm3:[0-9a-f]{64}$/),
  };
}

function checkNumbers({ set, holders }: SealFile, name: string): void {
  const isDistinct = (values: readonly unknown[]): boolean => new Set(values).size === set.count;
  const holds =
    set.threshold <= set.count &&
    holders.length === set.count &&
    isDistinct(holders.map((holder) => holder.index)) &&
    isDistinct(holders.map((holder) => holder.person)) &&
    isDistinct(holders.map((holder) => holder.certificate));
  if (!holds) throw new KmcError('E_INTEGRITY', `The keystore file ${name} contradicts itself. Restore it.`);
}
