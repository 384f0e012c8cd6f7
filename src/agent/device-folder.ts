/**
 * The folder of a device: every set of keys and certificates in a folder of its own, and one link that says which is in
 * force. Programs read the plain names, which lead through that link, so that a renewal puts all files in place in one step:
 *
 *   sets/0001/sign.key.pem ...   sets/0002/...   current -> sets/0002   sign.key.pem -> current/sign.key.pem ...
 */
import { existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { randomBytes } from '../crypto/random.ts';
import { KmcError } from '../errors.ts';
import { readIfPresent, syncFolder, writeAtomically } from './atomic-file.ts';

/** What a set holds, in the order in which it is written. */
export const DEVICE_FILES = {
  signKey: 'sign.key.pem',
  csr: 'csr.der',
  encKey: 'enc.key.pem',
  /** SM2EnvelopedKey, for devices of every family. */
  envelopedKey: 'enveloped-key.der',
  /** The envelope as the device's own software imports it, where that is another. */
  packedKey: 'packed-key.bin',
  csrResponse: 'csr-response.der',
  encCertificate: 'enc.crt.pem',
  chain: 'chain.pem',
  signCertificate: 'sign.crt.pem',
  /** Signing, encryption, CA chain: what a TLCP server sends. Written last, so that it stands for a whole set. */
  tlcp: 'tlcp.pem',
} as const;
export type DeviceFile = keyof typeof DEVICE_FILES;

const SETS = 'sets';
const CURRENT = 'current';
const RELOADED = 'reloaded';
/** The root that the device trusts, PEM. */
const ROOT = 'root.pem';
const DIGITS = 4;
/** Sets that stay: the one in force, and the one before for what is still under way. */
const KEPT = 2;

/** One set of files, which is in force or being made. */
export class DeviceSet {
  readonly name: string;
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.name = basename(folder);
  }

  path(file: DeviceFile): string {
    return join(this.#folder, DEVICE_FILES[file]);
  }

  read(file: DeviceFile): Buffer | undefined {
    return readIfPresent(this.path(file));
  }

  /** @throws KmcError E_STORAGE when it is not there. */
  need(file: DeviceFile): Buffer {
    const content = this.read(file);
    if (content !== undefined) return content;
    throw new KmcError(
      'E_STORAGE',
      `The folder of the device lacks ${DEVICE_FILES[file]}: it is not enrolled, or damaged.`,
    );
  }

  write(file: DeviceFile, content: Buffer | string): void {
    writeAtomically(this.path(file), content);
  }

  /** Everything is there. */
  get isWhole(): boolean {
    return existsSync(this.path('tlcp'));
  }
}

/** Puts a link in the place of one of the same name, in one step. */
export function placeLink(target: string, path: string): void {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  symlinkSync(target, temporary);
  renameSync(temporary, path);
}

export class DeviceFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** The set in force; undefined before the first enrolment is whole. */
  current(): DeviceSet | undefined {
    const name = this.#currentName();
    return name === undefined ? undefined : this.#set(name);
  }

  /** The set that is being made, which a kill may have left half done; a new, empty one when there is none. */
  pending(): DeviceSet {
    const current = Number(this.#currentName() ?? 0);
    return this.#set(String(current + 1).padStart(DIGITS, '0'));
  }

  /** True when a set is being made. */
  get isPending(): boolean {
    return existsSync(join(this.path, SETS, this.pending().name));
  }

  /** Gives up the set that is being made. */
  discardPending(): void {
    rmSync(join(this.path, SETS, this.pending().name), { recursive: true, force: true });
  }

  /** Puts the pending set, which is whole, in the place of the one in force: one rename. */
  commit(): void {
    const pending = this.pending();
    if (!pending.isWhole) throw new KmcError('E_INTERNAL', 'A set of files is put in place before it is whole.');
    try {
      for (const name of Object.values(DEVICE_FILES)) {
        const path = join(this.path, name);
        if (!existsSync(join(this.path, SETS, pending.name, name))) continue;
        if (lstatSync(path, { throwIfNoEntry: false }) === undefined) placeLink(join(CURRENT, name), path);
      }
      placeLink(join(SETS, pending.name), join(this.path, CURRENT));
      syncFolder(this.path);
    } catch (cause) {
      throw new KmcError('E_STORAGE', 'The new files cannot be put in place: check the folder.', { cause });
    }
  }

  /** The set in force was made known to the program that uses it. */
  get isReloaded(): boolean {
    const name = this.#currentName();
    return name === undefined || readIfPresent(join(this.path, RELOADED))?.toString('utf8').trim() === name;
  }

  /** Before something changes that the device's software reads: until it is told, it has not seen it. */
  forgetReloaded(): void {
    rmSync(join(this.path, RELOADED), { force: true });
  }

  /** Notes that it was made known. */
  noteReloaded(): void {
    const name = this.#currentName();
    if (name !== undefined) writeAtomically(join(this.path, RELOADED), `${name}\n`);
  }

  /** Removes the sets that nobody needs any more. */
  removeOldSets(): void {
    const name = this.#currentName();
    if (name === undefined) return;
    const sets = readdirSync(join(this.path, SETS)).filter((set) => Number(set) <= Number(name));
    for (const set of sets.sort().slice(0, -KEPT)) rmSync(join(this.path, SETS, set), { recursive: true, force: true });
  }

  /** Where the root stands. */
  get rootPath(): string {
    return join(this.path, ROOT);
  }

  /** Keeps the root that was given to the device, PEM. */
  keepRoot(pem: string): void {
    writeAtomically(this.rootPath, pem);
  }

  /** The root that the device trusts, PEM. @throws KmcError E_STORAGE when none was kept. */
  root(): string {
    const kept = readIfPresent(this.rootPath);
    if (kept !== undefined) return kept.toString('utf8');
    throw new KmcError('E_STORAGE', 'The folder of the device lacks root.pem: enrol it first.');
  }

  #currentName(): string | undefined {
    try {
      return basename(readlinkSync(join(this.path, CURRENT)));
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
      throw new KmcError('E_STORAGE', 'The folder of the device cannot be read: check owner and mode.', { cause });
    }
  }

  #set(name: string): DeviceSet {
    return new DeviceSet(join(this.path, SETS, name));
  }
}

/** Makes a folder that only its owner may enter. */
export function makeDeviceFolder(path: string): DeviceFolder {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return new DeviceFolder(path);
}
