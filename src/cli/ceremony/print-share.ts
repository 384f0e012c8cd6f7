import { wipe } from '../../crypto/bytes.ts';
import { readShareFile } from '../../flows/ceremonies/participant.ts';
import { printShare } from '../../flows/keystore/paper-share.ts';
import type { Command } from '../command.ts';
import { readNamedFile, writeNewFile } from '../named-file.ts';

export const printShareCommand: Command = {
  noun: 'ceremony',
  verb: 'print-share',
  summary: 'Writes a share as text for paper: 22 groups, each with a check character, for its holder alone.',
  example:
    'kmc ceremony print-share people/c1/ceremony.share.json --key people/c1/key.pem --cert people/c1/crt.pem --out share.txt',
  details: [
    'Print the file on a printer without a memory and remove it. Typed in as service.share.txt or ceremony.share.txt in the',
    'folder of the person it is taken like the file; a wrong group is named by its number.',
  ],
  positionals: ['SHARE'],
  options: { out: { type: 'string', required: true, value: 'FILE', help: 'new file, for the holder alone' } },
  async run(input, context) {
    const { keystore, ...share } = readShareFile(readNamedFile(input.positionals[0] ?? '', 'share file'));
    const { key } = await context.personalKey();
    const text = await printShare(context.engine, key, share);
    const out = input.required('out');
    try {
      writeNewFile(out, text);
    } finally {
      wipe(text);
    }
    return {
      json: { keystore, set: share.setId, index: share.index, out },
      text: `share ${share.index} of the ${keystore} keystore is in ${out}: print it, and remove the file`,
    };
  },
};
