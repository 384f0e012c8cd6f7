import { KmcError } from '../../errors.ts';
import { sm3Fingerprint } from '../../x509/certificate.ts';
import { closeCeremony } from '../../flows/ceremonies/close-ceremony.ts';
import { handedOver } from '../../flows/ceremonies/hand-over.ts';
import { requireVerifiedCeremony } from '../../flows/ceremonies/verify-ceremony.ts';
import type { Command } from '../command.ts';
import { certificateIn, handOver, namedFolder } from '../participants.ts';
import { PARTICIPANT_OPTION, participantsOf, readApproved } from './ceremony-input.ts';

export const closeCommand: Command = {
  noun: 'ceremony',
  verb: 'close',
  summary: 'Closes a ceremony that ran to its end: lead, custodians, witness and auditor sign the bundle.',
  example: 'kmc ceremony close ceremonies/sm2-root --participant owner-1=people/o1 ... --recipient p-owner-1=people/o1',
  details: ['When it was cut while it handed over, the same command goes on: a closed ceremony only hands over.'],
  positionals: ['DIR'],
  options: {
    participant: PARTICIPANT_OPTION,
    recipient: {
      type: 'string',
      multiple: true,
      value: 'PERSON=DIR',
      help: 'folder that gets what the ceremony made for a person: certificate and shares',
    },
  },
  async run(input, context) {
    const [dir = ''] = input.positionals;
    const { file } = readApproved(context, dir);
    const folder = context.ceremonySite().folder(dir);
    const ports = { engine: context.engine, clock: { now: () => new Date() }, folder };
    const participants = await participantsOf(context, input, context.engine);
    const recipients = input.list('recipient').map(namedFolder);
    const digest = await closeCeremony(ports, file, participants).catch((error: unknown) => {
      const isClosed = error instanceof KmcError && error.code === 'E_EXISTS';
      if (!isClosed || recipients.length === 0) throw error;
      return requireVerifiedCeremony(folder, { allowDeviations: true }).digest;
    });
    const given = handedOver(folder.files());
    const handed: string[] = [];
    for (const recipient of recipients) {
      const own = given.find((one) => one.person === recipient.name);
      if (own === undefined) continue;
      handOver(recipient.folder, own);
      handed.push(`${own.person} ${sm3Fingerprint(certificateIn(recipient.folder))}`);
    }
    const remaining = [...folder.files().keys()].sort();
    return {
      json: { ceremony: file.id, bundle: digest, handedOver: handed, remaining },
      text: [
        `closed; the next ceremony states`,
        `previous: ${digest}`,
        ...handed,
        `what remains in ${dir}:`,
        ...remaining.map((name) => `  ${name}`),
      ].join('\n'),
    };
  },
};
