/** Options of every command. */
import type { OptionSpec } from './command.ts';

export const GLOBAL_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  help: { type: 'boolean', help: 'show this help' },
  json: { type: 'boolean', help: 'one JSON value on standard output, messages on standard error' },
  home: { type: 'string', value: 'DIR', help: 'folder of the instance (KMC_HOME; default keystore/dev)' },
  config: { type: 'string', value: 'FILE', help: 'settings file, instead of kmc.yaml in the home folder' },
  url: { type: 'string', value: 'URL', help: 'address of the service (KMC_URL; default http://127.0.0.1:8440)' },
  'tls-anchor': { type: 'string', value: 'FILE', help: 'certificate of the transport CA for an https address' },
  key: { type: 'string', value: 'FILE', help: "the caller's private key, encrypted PKCS#8 PEM" },
  'key-file': { type: 'string', value: 'FILE', help: 'the same as --key, where that names a key of the service' },
  cert: { type: 'string', value: 'FILE', help: "the caller's certificate, PEM" },
  'passphrase-file': {
    type: 'string',
    value: 'FILE',
    help: 'file with the passphrase of --key (else it is asked for)',
  },
};
