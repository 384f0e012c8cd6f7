import { decodePemAll } from '../../crypto/asn1/pem.ts';
import { verifyEvidence, type VerifiedEvidence } from '../../domain/recovery-evidence.ts';
import { KmcError } from '../../errors.ts';
import { table, type Command, type CommandInput } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { readNamedFile } from '../named-file.ts';

function certificatesIn(input: CommandInput, option: string): Buffer[] {
  return input
    .list(option)
    .flatMap((path) => decodePemAll(readNamedFile(path, option).toString('utf8'), 'CERTIFICATE'));
}

function verdictOf(input: CommandInput): VerifiedEvidence | KmcError {
  const text = readNamedFile(input.positionals[0] ?? '', 'evidence').toString('utf8');
  const roots = certificatesIn(input, 'root');
  const logKey = input.text('log-key');
  try {
    return verifyEvidence(text, {
      administratorAnchors: certificatesIn(input, 'anchor'),
      ...(roots.length === 0 ? {} : { roots }),
      ...(logKey === undefined ? {} : { logKey }),
    });
  } catch (error) {
    if (error instanceof KmcError) return error;
    throw error;
  }
}

export const verifyEvidenceCommand: Command = {
  noun: 'key',
  verb: 'verify-evidence',
  summary:
    'Verifies the evidence of a judicial recovery offline, with trusted certificates alone. Exit 4 when it fails.',
  example: 'kmc key verify-evidence recovery/case-1/evidence.json --anchor admin-ca.pem --root sm2-root.pem',
  positionals: ['FILE'],
  options: {
    anchor: {
      type: 'string',
      value: 'FILE',
      multiple: true,
      required: true,
      help: 'certificate of the administrator CA, for the approvals',
    },
    root: { type: 'string', value: 'FILE', multiple: true, help: "root above the recovered key's certificate" },
    'log-key': { type: 'string', value: 'KID', help: 'key of the audit log as you know it (sm3:...)' },
  },
  async run(input) {
    const verdict = verdictOf(input);
    if (verdict instanceof KmcError) {
      const { code, message } = verdict;
      return {
        exitCode: EXIT.verificationFailed,
        json: { ok: false, code, message },
        text: `does not hold: ${code}: ${message}`,
      };
    }
    const { evidence, requestDigest, approvers, logKey, checked } = verdict;
    const facts: [string, string][] = [
      ['case', evidence.case],
      ['recovery', evidence.recovery],
      ['recovered', evidence.recoveredAt],
      ['key state', evidence.keyState],
      ['request', requestDigest],
      ['approved by', approvers.join(', ')],
      ['log key', logKey],
      ['checked', checked.join(', ')],
    ];
    const json = {
      ok: true,
      case: evidence.case,
      recovery: evidence.recovery,
      requestDigest,
      approvers,
      logKey,
      checked,
    };
    return { json, text: `holds\n${table(['FACT', 'VALUE'], facts)}` };
  },
};
