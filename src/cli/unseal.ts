/** `kmc unseal`: a custodian's share goes from the own key to the key of the session; it is in clear only in the engine. */
import { sm3 } from '../crypto/gm/sm3.ts';
import { spkiSm3 } from '../crypto/spki.ts';
import { digestWords } from '../domain/digest-words.ts';
import { KmcError } from '../errors.ts';
import { readShareFile } from '../flows/ceremonies/participant.ts';
import { transferShare } from '../flows/keystore/transfer-share.ts';
import { sm3Fingerprint } from '../x509/certificate.ts';
import type { Command, CommandContext, CommandInput, Outcome } from './command.ts';
import { keystoreText, readKeystoreStatus } from './keystore-status.ts';
import { readNamedFile } from './named-file.ts';
import { readTypedShare } from './participants.ts';

/** The share of a file that was handed out to this certificate: DER SM2Cipher. */
function shareOf(path: string, certificate: Buffer): Buffer {
  const share = readShareFile(readNamedFile(path, 'share file'));
  if (share.keystore !== 'service') {
    throw new KmcError('E_SHARE_SET', 'This is a share of the ceremony keystore: give that of the service.');
  }
  if (share.certificate !== sm3Fingerprint(certificate)) {
    throw new KmcError('E_SHARE_BAD', 'The share was handed out to another certificate than that of --cert.');
  }
  return share.ciphertext;
}

async function unseal(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const { key: holder, certificate } = await context.personalKey();
  const [path = ''] = input.positionals;
  const share = input.flag('typed')
    ? (await readTypedShare(path, context.engine, holder, certificate)).ciphertext
    : shareOf(path, certificate);
  const client = await context.client();
  const begun = await client.json('POST', '/api/v1/keystore/unseal-sessions', {});
  const { session } = readKeystoreStatus(begun);
  if (session === undefined) throw new KmcError('E_STATE', 'The service opened no session: look at kmc status.');
  context.io.err(`key of the session: ${digestWords(spkiSm3(session.publicKey)).join(' ')}`);
  const transferred = await transferShare(context.engine, {
    holder,
    holderCertificateSm3: sm3(certificate),
    share,
    sessionSpki: session.publicKey,
  });
  const target = `/api/v1/keystore/unseal-sessions/${session.id}/shares`;
  const answer = await client.json('POST', target, { share: transferred.toString('base64') });
  return { json: answer, text: keystoreText(readKeystoreStatus(answer)) };
}

export const commands: readonly Command[] = [
  {
    noun: 'unseal',
    verb: '',
    summary: 'Hands in the share of a custodian; the last one that is needed opens the keystore (role custodian).',
    example: 'kmc unseal service.share.json --key me.key.pem --cert me.crt.pem',
    details: [
      'SHARE is the file that a ceremony handed out, or with --typed a text file with the share as it stands on paper.',
    ],
    positionals: ['SHARE'],
    options: { typed: { type: 'boolean', help: 'SHARE was typed in from paper; remove the file afterwards' } },
    run: unseal,
  },
];
