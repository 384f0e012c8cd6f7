import { join } from 'node:path';
import { readCeremonyFile } from '../../config/ceremony-file.ts';
import { canonicalizeSigned } from '../../crypto/jcs.ts';
import { BUNDLE } from '../../domain/ceremony/bundle-files.ts';
import { ceremonyFileBody } from '../../domain/ceremony/ceremony-file.ts';
import type { BundleFinding, VerifiedBundle } from '../../domain/ceremony/verify-bundle.ts';
import { digestWords } from '../../domain/digest-words.ts';
import { verifyCeremony, type Anchored } from '../../flows/ceremonies/verify-ceremony.ts';
import type { Command, Outcome } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { readCertificateFile, readNamedFile } from '../named-file.ts';

export const verifyCommand: Command = {
  noun: 'ceremony',
  verb: 'verify',
  summary: 'Verifies a closed bundle offline, with nothing but its files.',
  example: 'kmc ceremony verify demo/ceremony/sm2-root --anchor demo/ceremony/kmc-init/outputs/admin-ca.cer',
  positionals: ['DIR'],
  options: {
    anchor: {
      type: 'string',
      multiple: true,
      value: 'FILE',
      help: 'certificate of the administrator CA (PEM or DER): the people must lead to it, or kmc-init have made it',
    },
    'allow-deviations': { type: 'boolean', help: 'a ceremony with deviations verifies too' },
  },
  async run(input, context) {
    const [dir = ''] = input.positionals;
    const anchors = input.list('anchor').map(readCertificateFile);
    const folder = context.ceremonySite().folder(dir);
    const verdict = verifyCeremony(folder, { anchors, allowDeviations: input.flag('allow-deviations') });
    if (verdict.bundle === undefined) return refused(verdict.findings);
    const findings = fileFindings(dir, verdict.bundle);
    return findings.length > 0 ? refused(findings) : accepted(verdict.bundle, verdict.anchored);
  },
};

/** The YAML itself must say what the plan says: the plan is what was approved. */
function fileFindings(dir: string, { plan }: VerifiedBundle): BundleFinding[] {
  const { file } = readCeremonyFile(readNamedFile(join(dir, BUNDLE.file), 'ceremony file'));
  const same = file !== undefined && canonicalizeSigned(ceremonyFileBody(file)) === canonicalizeSigned(plan.file);
  return same ? [] : [{ file: BUNDLE.file, detail: 'the file does not say what the plan says' }];
}

function refused(findings: readonly BundleFinding[]): Outcome {
  return {
    exitCode: EXIT.verificationFailed,
    json: { ok: false, findings },
    text: findings.map(({ file, detail }) => `${file}: ${detail}`).join('\n'),
  };
}

/** What was found out about who the people are. */
const ANCHORED: Readonly<Record<Anchored, string>> = {
  people: 'the certificate of everybody who signed leads to the anchor',
  authority:
    'the anchor is the administrator CA that this ceremony made; its people signed with the self-made certificates that ' +
    'the file names by fingerprint',
  nothing: 'warning: nothing was held against an administrator CA; compare the people, or pin it with --anchor',
};

function accepted({ plan, closing, digest, seats, transcript }: VerifiedBundle, anchored: Anchored): Outcome {
  const deviations = transcript.records
    .filter(({ kind }) => kind === 'deviation')
    .map(({ n, step, at, text }) => ({
      record: n,
      step,
      at,
      text,
    }));
  const people = seats.map(({ seat, certificate }) => `${seat}: ${certificate.subject.text}`);
  return {
    json: {
      ok: true,
      ceremony: plan.ceremony,
      type: plan.type,
      bundle: digest,
      records: transcript.records.length,
      closedAt: closing.closedAt,
      signedBy: people,
      deviations,
      anchored,
    },
    text: [
      `verified: ${plan.ceremony} (${plan.type}), closed ${closing.closedAt}, ${transcript.records.length} records`,
      `bundle ${digest}`,
      digestWords(digest).join(' '),
      ...deviations.map(({ step, at, text }) => `deviation at step ${step}, ${at}: ${text}`),
      ...people,
      ANCHORED[anchored],
    ].join('\n'),
  };
}
