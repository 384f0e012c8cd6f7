/** `kmc cert`: certificates as files, checked and shown without any service; and the service's inventory. */
import { isObject } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import { parseCertificate, sm3Fingerprint, type Certificate } from '../x509/certificate.ts';
import { parseCertificateList } from '../x509/crl.ts';
import { ALL_KINDS, isCertificateKind } from '../x509/lint/certificate-kinds.ts';
import { lintObjects, type ObjectReport } from '../x509/lint/lint-objects.ts';
import type { Finding } from '../x509/lint/rule.ts';
import type { PathReason, PathRule } from '../x509/path/path-reason.ts';
import { PATH_PURPOSES, validatePath, type PathPurpose } from '../x509/path.ts';
import { table, type Command, type CommandInput, type Outcome } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { CERT_ISSUE } from './cert-issue.ts';
import { dersOf } from './named-file.ts';

function certificatesOf(path: string): Certificate[] {
  return dersOf(path, 'CERTIFICATE').map(parseCertificate);
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

const LINTED_LABELS = ['CERTIFICATE', 'CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST', 'X509 CRL'] as const;

function lintRow({ type, kind, name }: ObjectReport, { id, severity, cites, text }: Finding): string[] {
  return [name ?? type, kind ?? type, id, severity, cites, text];
}

function described({ type, kind, name }: ObjectReport): Omit<ObjectReport, 'findings'> {
  return { type, ...(kind === undefined ? {} : { kind }), ...(name === undefined ? {} : { name }) };
}

async function lint(input: CommandInput): Promise<Outcome> {
  const kind = input.text('kind');
  if (kind !== undefined && !isCertificateKind(kind)) {
    throw new KmcError('E_USAGE', `--kind is one of: ${ALL_KINDS.join(', ')}`);
  }
  const files = [input.positionals[0] ?? '', ...input.list('enc')];
  const objects = files.flatMap((path) => dersOf(path, ...LINTED_LABELS));
  const issuers = input.list('issuer').flatMap(certificatesOf);
  const reports = lintObjects(objects, { issuers, ...(kind === undefined ? {} : { kind }) });
  const failed = reports.some(({ findings }) => findings.some(({ severity }) => severity === 'error'));
  const rows = reports.flatMap((report) => report.findings.map((finding) => lintRow(report, finding)));
  const findings = reports.flatMap((report, object) =>
    report.findings.map(({ cites, ...finding }) => ({ object, ...finding, clause: cites })),
  );
  return {
    exitCode: failed ? EXIT.verificationFailed : EXIT.ok,
    json: { ok: !failed, objects: reports.map(described), findings },
    text: rows.length === 0 ? 'no findings' : table(['OBJECT', 'KIND', 'RULE', 'SEVERITY', 'CLAUSE', 'MESSAGE'], rows),
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
  ...CERT_ISSUE,
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
    summary:
      'Checks the certificates, requests and CRLs of a file against RFC 5280, GM/T 0015 and TLCP, each finding with its clause. Exit 4 for an error.',
    example: 'kmc cert lint tlcp.pem --issuer sm2-root.pem',
    positionals: ['FILE'],
    options: {
      kind: {
        type: 'string',
        value: 'KIND',
        help: 'root, issuing, gateway-sign, ... (default: as the certificate says)',
      },
      issuer: {
        type: 'string',
        value: 'FILE',
        multiple: true,
        help: 'certificates of issuers that are not in the file',
      },
      enc: {
        type: 'string',
        value: 'FILE',
        multiple: true,
        help: 'the encryption certificate, where it is in a file of its own',
      },
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
