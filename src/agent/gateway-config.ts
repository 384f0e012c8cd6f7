/** Ready configuration for the programs that use the files of a device. The plain names lead to the set in force. */
import { join } from 'node:path';
import { DEVICE_FILES, type DeviceFile, type DeviceFolder } from './device-folder.ts';
import { writeAtomically } from './atomic-file.ts';

export interface ConfigInput {
  /** Absolute path of a plain file name. */
  readonly path: (file: DeviceFile) => string;
  /** Absolute path of the pinned root. */
  readonly root: string;
  /** Absolute path of the file with the passphrase of the keys. */
  readonly passphraseFile: string;
}

interface ConfigWriter {
  readonly file: string;
  readonly render: (input: ConfigInput) => string;
}

/** TLCP suites (GB/T 38636) by the names of Tongsuo. */
const TLCP_SUITES = 'ECC-SM2-SM4-GCM-SM3:ECC-SM2-SM4-CBC-SM3:ECDHE-SM2-SM4-GCM-SM3:ECDHE-SM2-SM4-CBC-SM3';

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
    file: 'swanctl.conf',
    render: ({
      path,
      root,
    }) => `# strongSwan (swanctl). Written by kmc device. UNVERIFIED: strongSwan as distributions package it knows no SM2; this set
# needs a build with SM2. Load with: swanctl --load-all. The passphrase of the key is asked for, it stands in no file here.
connections {
  kmc {
    version = 2
    local {
      auth = pubkey
      certs = ${path('signCertificate')}
    }
    remote {
      auth = pubkey
      cacerts = ${root}
    }
    children {
      extranet {
        start_action = trap
      }
    }
  }
}
authorities {
  kmc {
    cacert = ${root}
  }
}
secrets {
  private-kmc {
    file = ${path('signKey')}
  }
}
`,
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
 * @returns the path of the file.
 */
export function writeGatewayConfig(kind: ConfigKind, folder: DeviceFolder, passphraseFile: string): string {
  const { file, render } = CONFIG_WRITERS[kind];
  const place = join(folder.path, file);
  const path = (name: DeviceFile) => join(folder.path, DEVICE_FILES[name]);
  writeAtomically(place, render({ path, root: folder.rootPath, passphraseFile }));
  return place;
}
