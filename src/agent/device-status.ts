import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseCertificate } from '../x509/certificate.ts';
import { parseCertificateList } from '../x509/crl.ts';
import { readIfPresent } from './atomic-file.ts';
import type { DeviceFolder } from './device-folder.ts';
import { certificateIn } from './device-keys.ts';
import { renewalDue } from './renew.ts';
import { setInForce } from './set-in-force.ts';
import { readTrustFolder } from './trust-folder.ts';
import { trustPath } from './trust-round.ts';

export interface DeviceStatus {
  readonly subject: string;
  /** Name of the set of files in force. */
  readonly set: string;
  readonly signSerial: string;
  readonly encSerial: string;
  readonly notAfter: Date;
  readonly renewFrom: Date;
  /** A renewal was begun and is not in force yet. */
  readonly isPending: boolean;
  /** The user of the files knows of the set in force. */
  readonly isReloaded: boolean;
  /** Version of the trust bundle and each anchor with its state; absent before the device was given a manifest. */
  readonly trust?: {
    readonly version: string;
    readonly anchors: readonly { readonly gen: string; readonly state: string; readonly since: string }[];
  };
  readonly crls: readonly { readonly file: string; readonly number: string; readonly nextUpdate: Date | undefined }[];
}

function crlsIn(folder: DeviceFolder): DeviceStatus['crls'] {
  const place = join(folder.path, 'crl');
  let names: string[];
  try {
    names = readdirSync(place).filter((name) => name.endsWith('.crl'));
  } catch {
    return [];
  }
  return names.sort().flatMap((file) => {
    const der = readIfPresent(join(place, file));
    if (der === undefined) return [];
    const { crlNumber, nextUpdate } = parseCertificateList(der);
    return [{ file, number: (crlNumber ?? 0n).toString(), nextUpdate }];
  });
}

function trustIn(folder: DeviceFolder): Pick<DeviceStatus, 'trust'> {
  const state = readTrustFolder(trustPath(folder));
  if (state === undefined) return {};
  const { version, anchors: listed } = state.manifest.body;
  const gen = new Map(listed.map((anchor) => [anchor.spkiSm3, anchor.gen]));
  const anchors = state.anchors.map(({ spkiSm3, state: stands, since }) => ({
    gen: gen.get(spkiSm3) ?? spkiSm3,
    state: stands,
    since,
  }));
  return { trust: { version, anchors } };
}

/**
 * What stands in the folder of a device; no key is opened for it.
 * @throws KmcError E_NOT_FOUND (not enrolled), E_STORAGE, E_DER.
 */
export function deviceStatus(folder: DeviceFolder): DeviceStatus {
  const set = setInForce(folder);
  const { certificate, from } = renewalDue(folder);
  const { serialNumber } = parseCertificate(certificateIn(set, 'encCertificate'));
  return {
    subject: certificate.subject.text,
    set: set.name,
    signSerial: certificate.serialNumber,
    encSerial: serialNumber,
    notAfter: certificate.notAfter,
    renewFrom: from,
    isPending: folder.isPending,
    isReloaded: folder.isReloaded,
    crls: crlsIn(folder),
    ...trustIn(folder),
  };
}
