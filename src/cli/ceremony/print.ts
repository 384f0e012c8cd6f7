import { roomSheet, sheetHtml, sheetMarkdown } from '../../domain/ceremony/room-sheet.ts';
import { digestWords } from '../../domain/digest-words.ts';
import type { Command } from '../command.ts';
import { writeNewFile } from '../named-file.ts';
import { INPUTS_OPTION, inputsBeside, makePlan, PREVIOUS_OPTION, readCeremony } from './ceremony-input.ts';

export const printCommand: Command = {
  noun: 'ceremony',
  verb: 'print',
  summary: 'Prints the sheet for the room: digests with their words, seats, steps, places for times and initials.',
  example: 'kmc ceremony print sm2-root.yaml --previous ceremonies/kmc-init --html --out sm2-root.html',
  positionals: ['FILE'],
  options: {
    inputs: INPUTS_OPTION,
    previous: PREVIOUS_OPTION,
    html: { type: 'boolean', help: 'a page to print (default: Markdown)' },
    out: { type: 'string', value: 'FILE', help: 'new file for the sheet (default: it is shown)' },
  },
  run(input, context) {
    const [path = ''] = input.positionals;
    const { plan, hash } = makePlan(context, input, readCeremony(context, path), inputsBeside(path));
    const sheet = roomSheet(plan);
    const text = input.flag('html') ? sheetHtml(sheet) : sheetMarkdown(sheet);
    const out = input.text('out');
    if (out !== undefined) writeNewFile(out, text);
    const json = { planHash: hash, words: digestWords(hash), ...(out === undefined ? { sheet: text } : { out }) };
    return Promise.resolve({ json, text: out === undefined ? text : `the sheet for the room is ${out}` });
  },
};
