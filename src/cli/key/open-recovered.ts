import { encodePem } from '../../crypto/asn1/pem.ts';
import { wipe } from '../../crypto/bytes.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import type { Command } from '../command.ts';
import { readNamedFile, writeNewFile } from '../named-file.ts';

export const openRecoveredCommand: Command = {
  noun: 'key',
  verb: 'open-recovered',
  summary: 'As the recipient: opens a recovered key with the own key, checks it, writes it as an encrypted key file.',
  example:
    'kmc key open-recovered recovered-key.der --out recovered.key.pem --key evidence.key.pem --cert evidence.crt.pem',
  positionals: ['FILE'],
  options: { out: { type: 'string', value: 'FILE', help: 'new file for the key, encrypted PKCS#8', required: true } },
  async run(input, context) {
    const { engine } = context;
    const file = input.required('out');
    const envelopedKey = readNamedFile(input.positionals[0] ?? '', 'recovered key');
    const { key } = await context.personalKey();
    const recovered = await engine.openEnvelopedKey(key, envelopedKey);
    const passphrase = await context.passphrase('Passphrase for the new key file');
    try {
      const pkcs8 = await engine.exportPkcs8(recovered, passphrase, 'gmssl');
      writeNewFile(file, encodePem('ENCRYPTED PRIVATE KEY', pkcs8));
      const kid = spkiSm3(recovered.spki);
      return { json: { kid, file }, text: `the key ${kid} is in ${file}` };
    } finally {
      wipe(passphrase);
      engine.destroyKey(recovered);
    }
  },
};
