/** Configurations for the programs that use the files of a device: `--write` of an enrolment, and `kmc device config`. */
import { resolve } from 'node:path';
import { DeviceFolder } from '../agent/device-folder.ts';
import { CONFIG_WRITERS, isConfigKind, writeGatewayConfig, type RsaSet } from '../agent/gateway-config.ts';
import { KmcError } from '../errors.ts';
import type { Command, CommandContext, CommandInput, Outcome } from './command.ts';

const KINDS = Object.keys(CONFIG_WRITERS).join(', ');

function writeConfig(context: CommandContext, kind: string, folder: string, rsa?: RsaSet): string {
  const { passphraseFile } = context.environment;
  if (!isConfigKind(kind)) throw new KmcError('E_USAGE', `A configuration is one of: ${KINDS}.`);
  if (passphraseFile === undefined) {
    throw new KmcError('E_USAGE', 'The configuration names the passphrase file: give --passphrase-file.');
  }
  return writeGatewayConfig(kind, new DeviceFolder(resolve(folder)), resolve(passphraseFile), rsa);
}

/** Writes the configurations that `--write` names, after an enrolment. @throws KmcError E_USAGE, E_STORAGE. */
export function writeConfigs(input: CommandInput, context: CommandContext, folder: string): readonly string[] {
  return input.list('write').map((kind) => writeConfig(context, kind, folder));
}

function rsaSetOf(input: CommandInput): RsaSet | undefined {
  const [certificate, key] = [input.text('rsa-cert'), input.text('rsa-key')];
  const authorities = input.list('rsa-ca').map((file) => resolve(file));
  if (certificate === undefined && key === undefined && authorities.length === 0) return undefined;
  if (certificate !== undefined && key !== undefined && authorities.length > 0) {
    return { certificate: resolve(certificate), key: resolve(key), authorities };
  }
  throw new KmcError(
    'E_USAGE',
    'An RSA set is --rsa-cert, --rsa-key and --rsa-ca, the issuing CA first, the root last.',
  );
}

async function config(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const [kind = ''] = input.positionals;
  const rsa = rsaSetOf(input);
  const file = writeConfig(context, kind, input.required('dir'), rsa);
  return { json: { kind, file }, text: file };
}

export const CONFIG_COMMAND: Command = {
  noun: 'device',
  verb: 'config',
  summary: 'As a device: writes the configuration of a program that uses its files.',
  example:
    'kmc device config swanctl-rsa --dir gw-1/ --passphrase-file gw-1.pass --rsa-cert old.pem --rsa-key old.key --rsa-ca old-issuing.pem --rsa-ca old-root.pem',
  details: [
    `KIND is one of: ${KINDS}. swanctl-rsa is for the RSA identity that a gateway has beside its SM2 one until the old root goes.`,
  ],
  positionals: ['KIND'],
  options: {
    dir: { type: 'string', value: 'DIR', help: 'folder of the device', required: true },
    'rsa-cert': { type: 'string', value: 'FILE', help: 'certificate of the RSA identity, PEM' },
    'rsa-key': { type: 'string', value: 'FILE', help: 'its key, PEM' },
    'rsa-ca': {
      type: 'string',
      value: 'FILE',
      multiple: true,
      help: 'its CA certificates, the issuing CA first, the root last',
    },
  },
  run: config,
};
