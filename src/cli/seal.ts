/** `kmc seal`: closes the keystore of the service at once. */
import type { Command } from './command.ts';
import { keystoreText, readKeystoreStatus } from './keystore-status.ts';

export const commands: readonly Command[] = [
  {
    noun: 'seal',
    verb: '',
    summary: 'Seals the keystore at once (role security-administrator): its custodians have to unseal it again.',
    example: 'kmc seal --key me.key.pem --cert me.crt.pem',
    async run(_input, context) {
      const answer = await (await context.client()).json('POST', '/api/v1/keystore/seal', {});
      return { json: answer, text: keystoreText(readKeystoreStatus(answer)) };
    },
  },
];
