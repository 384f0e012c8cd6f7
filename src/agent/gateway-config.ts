/** Ready configuration for the programs that use the files of a device. The plain names lead to the set in force. */
import { mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { KmcError } from '../errors.ts';
import { DEVICE_FILES, placeLink, type DeviceFile, type DeviceFolder } from './device-folder.ts';
import { writeAtomically } from './atomic-file.ts';

export interface ConfigInput {
  /** Absolute path of a plain file name. */
  readonly path: (file: DeviceFile) => string;
  /** Absolute path of the pinned root. */
  readonly root: string;
  /** Absolute path of the file with the passphrase of the keys. */
  readonly passphraseFile: string;
  readonly rsa?: RsaSet;
}

/** An RSA identity: absolute paths of PEM files. */
export interface RsaSet {
  readonly certificate: string;
  readonly key: string;
  /** CA certificates from the issuing CA up; the root last. */
  readonly authorities: readonly string[];
}

interface ConfigWriter {
  /** Below the folder of the device. */
  readonly file: string;
  readonly render: (input: ConfigInput) => string;
  /** A key that the program reads from a folder beside the file alone: it is linked there. */
  readonly key?: (input: ConfigInput) => string;
}

/** Where swanctl looks for keys, beside its file. */
const PRIVATE_KEYS = 'private';

/** TLCP suites (GB/T 38636) by the names of Tongsuo. */
const TLCP_SUITES = 'ECC-SM2-SM4-GCM-SM3:ECC-SM2-SM4-CBC-SM3:ECDHE-SM2-SM4-GCM-SM3:ECDHE-SM2-SM4-CBC-SM3';

interface SwanctlSet {
  readonly name: string;
  readonly note: string;
  readonly certificate: string;
  /** The root last. */
  readonly authorities: readonly string[];
}

function swanctlText({ name, note, certificate, authorities }: SwanctlSet): string {
  return `# strongSwan (swanctl). Written by kmc device. Load with: swanctl --load-all --file <this file>; add remote_addrs.
# The passphrase of the key is asked for, it stands in no file here.
# ${note}
connections {
  ${name} {
    version = 2
    local {
      auth = pubkey
      certs = ${certificate}
    }
    remote {
      auth = pubkey
      cacerts = ${authorities.at(-1) ?? ''}
    }
    children {
      extranet {
        start_action = trap
      }
    }
  }
}
authorities {
${authorities.map((file, at) => `  ${name}-${at + 1} {\n    cacert = ${file}\n  }\n`).join('')}}
`;
}

/** @throws KmcError E_USAGE. */
function rsaSetOf({ rsa }: ConfigInput): RsaSet {
  if (rsa !== undefined) return rsa;
  throw new KmcError('E_USAGE', 'This configuration is for the RSA identity of the device: name its files.');
}

/** The kinds of configuration. A plain folder needs none: its files have stable names. */
export const CONFIG_WRITERS = {
  'nginx-tlcp': {
    file: 'nginx-tlcp.conf',
    render: ({
      path,
      root,
      passphraseFile,
    }) => `# TLCP (GB/T 38636) for nginx or Tengine with Tongsuo's NTLS; include it in a server block.
# Reload with: nginx -s reload. Written by kmc device; not tested here against a build of Tongsuo.
listen 443 ssl;
enable_ntls on;
ssl_sign_certificate ${path('signCertificate')};
ssl_sign_certificate_key ${path('signKey')};
ssl_enc_certificate ${path('encCertificate')};
ssl_enc_certificate_key ${path('encKey')};
ssl_password_file ${passphraseFile};
ssl_ciphers ${TLCP_SUITES};
ssl_verify_client optional;
ssl_client_certificate ${root};
`,
  },
  swanctl: {
    file: 'swanctl/swanctl.conf',
    render: ({ path, root }) =>
      swanctlText({
        name: 'kmc',
        note: 'UNVERIFIED: strongSwan as distributions package it knows no SM2; this set needs a build with SM2.',
        certificate: path('signCertificate'),
        authorities: [root],
      }),
    key: ({ path }) => path('signKey'),
  },
  'swanctl-rsa': {
    file: 'swanctl-rsa/swanctl.conf',
    render: (input) =>
      swanctlText({
        name: 'kmc-rsa',
        note: 'The RSA identity from before the root upgrade: it stays beside the SM2 one until the old root goes.',
        ...rsaSetOf(input),
      }),
    key: (input) => rsaSetOf(input).key,
  },
} as const satisfies Readonly<Record<string, ConfigWriter>>;
export type ConfigKind = keyof typeof CONFIG_WRITERS;

/** True for the name of a kind of configuration. */
export function isConfigKind(name: string): name is ConfigKind {
  return Object.hasOwn(CONFIG_WRITERS, name);
}

/**
 * Writes the configuration of a kind into the folder of the device. It names no file of a set, so a renewal leaves it as it is.
 * @param passphraseFile absolute path.
 * @param rsa for the kinds that are about the RSA identity.
 * @returns the path of the file.
 * @throws KmcError E_STORAGE; E_USAGE without the RSA set that the kind is about.
 */
export function writeGatewayConfig(
  kind: ConfigKind,
  folder: DeviceFolder,
  passphraseFile: string,
  rsa?: RsaSet,
): string {
  const { file, render, key }: ConfigWriter = CONFIG_WRITERS[kind];
  const place = join(folder.path, file);
  const path = (name: DeviceFile) => join(folder.path, DEVICE_FILES[name]);
  const input = { path, root: folder.rootPath, passphraseFile, ...(rsa === undefined ? {} : { rsa }) };
  const linked = key?.(input);
  if (linked !== undefined) {
    const keys = join(dirname(place), PRIVATE_KEYS);
    mkdirSync(keys, { recursive: true, mode: 0o700 });
    placeLink(linked, join(keys, basename(linked)));
  }
  writeAtomically(place, render(input));
  return place;
}
