/** `kmc cert`: certificates as files, checked and shown without any service; and the service's inventory. */
import { decodePemAll } from '../crypto/asn1/pem.ts';
import { isObject } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import { parseCertificate, sm3Fingerprint, type Certificate } from '../x509/certificate.ts';
import { parseCertificateList } from '../x509/crl.ts';
import { certificateFindings } from '../x509/lint/lint-tbs-certificate.ts';
import { ALL_KINDS, isCertificateKind } from '../x509/lint/certificate-kinds.ts';
import type { PathReason, PathRule } from '../x509/path/path-reason.ts';
import { PATH_PURPOSES, validatePath, type PathPurpose } from '../x509/path.ts';
import { table, type Command, type CommandInput, type Outcome } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { readNamedFile } from './named-file.ts';

/** The objects of a file: PEM (one or more), or one in DER. @throws KmcError E_NOT_FOUND, E_DER. */
function dersOf(path: string, label: 'CERTIFICATE' | 'X509 CRL'): [Buffer, ...Buffer[]] {
  const bytes = readNamedFile(path, 'file');
  const [first, ...rest] = bytes[0] === 0x30 ? [bytes] : decodePemAll(bytes.toString('utf8'), label);
  if (first === undefined) throw new KmcError('E_NOT_FOUND', `There is no ${label} in ${path}`);
  return [first, ...rest];
}

function certificatesOf(path: string): Certificate[] {
  return dersOf(path, 'CERTIFICATE').map(parseCertificate);
}

function firstOf(path: string): Certificate {
  return parseCertificate(dersOf(path, 'CERTIFICATE')[0]);
}

function factsOf(certificate: Certificate): Record<string, string> {
  return {
    subject: certificate.subject.text,
    issuer: certificate.issuer.text,
    serialNumber: certificate.serialNumber,
    notBefore: certificate.notBefore.toISOString(),
    notAfter: certificate.notAfter.toISOString(),
    key: certificate.keyAlgorithm,
    signature: certificate.signatureAlgorithm,
    keyUsage: certificate.keyUsage?.join(', ') ?? '',
    sm3: sm3Fingerprint(certificate.der),
  };
}

async function show(input: CommandInput): Promise<Outcome> {
  const all = certificatesOf(input.positionals[0] ?? '').map(factsOf);
  const text = all.map((facts) => table(['FIELD', 'VALUE'], Object.entries(facts))).join('\n\n');
  return { json: { certificates: all }, text };
}

async function lint(input: CommandInput): Promise<Outcome> {
  const kind = input.required('kind');
  if (!isCertificateKind(kind)) throw new KmcError('E_USAGE', `--kind is one of: ${ALL_KINDS.join(', ')}`);
  const issuerFile = input.text('issuer');
  const issuer = issuerFile === undefined ? {} : { issuer: firstOf(issuerFile) };
  const findings = certificateFindings(firstOf(input.positionals[0] ?? ''), kind, issuer);
  const failed = findings.some(({ severity }) => severity === 'error');
  const rows = findings.map(({ id, severity, cites, text }) => [id, severity, cites, text]);
  return {
    exitCode: failed ? EXIT.verificationFailed : EXIT.ok,
    json: { ok: !failed, findings },
    text: findings.length === 0 ? 'no findings' : table(['RULE', 'SEVERITY', 'CLAUSE', 'MESSAGE'], rows),
  };
}

function isPurpose(name: string): name is PathPurpose {
  return Object.hasOwn(PATH_PURPOSES, name);
}

/** What helps against a reason, where an option does. */
const ADVICE: Readonly<Partial<Record<PathRule, string>>> = {
  'crl-missing': 'give the CRL of its issuer with another --crl',
};

function reasonText({ rule, subject, detail }: PathReason): string {
  const advice = ADVICE[rule];
  return `  ${rule}: ${detail}${advice === undefined ? '' : `: ${advice}`} (${subject})`;
}

async function verify(input: CommandInput): Promise<Outcome> {
  const purpose = input.text('purpose') ?? 'any';
  if (!isPurpose(purpose)) {
    throw new KmcError('E_USAGE', `--purpose is one of: ${Object.keys(PATH_PURPOSES).join(', ')}`);
  }
  const at = new Date(input.text('at') ?? Date.now());
  if (Number.isNaN(at.getTime())) throw new KmcError('E_USAGE', '--at is a time like 2026-12-31T00:00:00Z');
  const [leaf, ...rest] = dersOf(input.positionals[0] ?? '', 'CERTIFICATE');
  const crls = input
    .list('crl')
    .flatMap((path) => dersOf(path, 'X509 CRL'))
    .map(parseCertificateList);
  const verdict = validatePath({
    leaf: parseCertificate(leaf),
    intermediates: [...rest.map(parseCertificate), ...input.list('chain').flatMap(certificatesOf)],
    anchors: input.list('anchor').flatMap(certificatesOf),
    at,
    purpose,
    ...(crls.length === 0 ? {} : { crls }),
    ...(input.flag('legacy') ? { profile: 'legacy' as const } : {}),
  });
  const path = verdict.valid ? verdict.path.map((certificate) => certificate.subject.text) : [];
  const reasons = verdict.valid ? [] : verdict.reasons;
  return {
    exitCode: verdict.valid ? EXIT.ok : EXIT.verificationFailed,
    json: { valid: verdict.valid, path, reasons },
    text: verdict.valid
      ? ['valid', ...path.map((subject, depth) => `  ${depth} ${subject}`)].join('\n')
      : ['not valid', ...reasons.map(reasonText)].join('\n'),
  };
}

function idsOf(answer: unknown, name: string): string {
  const ids = isObject(answer) ? answer[name] : undefined;
  return Array.isArray(ids) ? ids.join(', ') : '';
}

export const commands: readonly Command[] = [
  {
    noun: 'cert',
    verb: 'show',
    summary: 'Shows the certificates of a file, PEM or DER.',
    example: 'kmc cert show sign.crt.pem',
    positionals: ['FILE'],
    run: show,
  },
  {
    noun: 'cert',
    verb: 'lint',
    summary: 'Checks a certificate against the rules of its kind, each with its clause. Exit 4 when one is broken.',
    example: 'kmc cert lint sign.crt.pem --kind gateway-sign --issuer issuing.pem',
    positionals: ['FILE'],
    options: {
      kind: { type: 'string', value: 'KIND', required: true, help: 'root, issuing, gateway-sign, gateway-enc, ...' },
      issuer: { type: 'string', value: 'FILE', help: "the issuer's certificate, for the rules that compare with it" },
    },
    run: lint,
  },
  {
    noun: 'cert',
    verb: 'verify',
    summary: 'Validates a path (RFC 5280) for SM2, RSA and ECDSA; names every reason. Exit 4 when it is not valid.',
    example: 'kmc cert verify sign.crt.pem --chain chain.pem --anchor sm2-root.pem --purpose tlcp-sign',
    positionals: ['FILE'],
    options: {
      anchor: { type: 'string', value: 'FILE', multiple: true, required: true, help: 'a trusted certificate' },
      chain: { type: 'string', value: 'FILE', multiple: true, help: 'further certificates between' },
      crl: { type: 'string', value: 'FILE', multiple: true, help: 'a CRL; with one, every issuer needs one' },
      purpose: { type: 'string', value: 'NAME', help: 'tlcp-sign, tlcp-enc, tls-server, ... (default any)' },
      at: { type: 'string', value: 'TIME', help: 'as of that time (default now)' },
      legacy: { type: 'boolean', help: 'forgive what old RSA estates lack (key identifiers, SHA-256)' },
    },
    run: verify,
  },
  {
    noun: 'cert',
    verb: 'revoke',
    summary: 'Revokes a certificate of the service and the other half of its pair (role ca-operator).',
    example: 'kmc cert revoke cert-01j... --reason superseded --key me.key.pem --cert me.crt.pem',
    positionals: ['ID'],
    options: {
      reason: {
        type: 'string',
        value: 'REASON',
        required: true,
        help: 'a reason of RFC 5280, e.g. keyCompromise; certificateHold for a time',
      },
    },
    async run(input, context) {
      const client = await context.client();
      const id = encodeURIComponent(input.positionals[0] ?? '');
      const answer = await client.json('POST', `/api/v1/certificates/${id}/revocations`, {
        reason: input.required('reason'),
      });
      const next = 'It stands in the next CRL: wait for it, or make it now with kmc ca publish-crl AUTHORITY.';
      return { json: answer, text: `revoked: ${idsOf(answer, 'revoked')}\n${next}` };
    },
  },
  {
    noun: 'cert',
    verb: 'release',
    summary: 'Takes a certificate of the service and the other half of its pair off hold (role ca-operator).',
    example: 'kmc cert release cert-01j... --key me.key.pem --cert me.crt.pem',
    positionals: ['ID'],
    async run(input, context) {
      const client = await context.client();
      const id = encodeURIComponent(input.positionals[0] ?? '');
      const answer = await client.json('POST', `/api/v1/certificates/${id}/release`, {});
      return { json: answer, text: `good again: ${idsOf(answer, 'released')}` };
    },
  },
];
