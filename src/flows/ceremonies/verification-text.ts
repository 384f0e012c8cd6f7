/** VERIFY.md: how to verify a closed bundle where this program is not installed (C20). */
import { BUNDLE, outputFile } from '../../domain/ceremony/bundle-files.ts';
import { planHash, readPlan } from '../../domain/ceremony/plan.ts';
import { parseCertificate, type Certificate } from '../../x509/certificate.ts';
import { parseCertificateList } from '../../x509/crl.ts';
import { verifySignedBy } from '../../x509/path/issuer-signature.ts';

const SM2_OPTIONS = '-rawin -digest sm3 -pkeyopt distid:1234567812345678';

/**
 * The text for the files of a ceremony. Every block of `sh` is run in the folder of the bundle, with `openssl` (3.x) and
 * `sha256sum` alone; each must end without an error.
 */
export function verificationText(files: ReadonlyMap<string, Buffer>): string {
  const plan = readPlan(files.get(BUNDLE.plan) ?? Buffer.alloc(0));
  return [
    `# How to verify the ceremony ${plan.ceremony}`,
    '',
    'Every block below runs in the folder of this bundle, in a POSIX shell with `openssl` 3 and `sha256sum`; each must end',
    'with exit code 0. Scratch files go into a folder of your own:',
    '',
    block('set -e', 'work=${TMPDIR:-/tmp}/kmc-verify-$$', 'mkdir -p "$work"'),
    '## Files',
    '',
    'Each line of hashes.txt holds SM3, SHA-256 and the name of a file.',
    '',
    block(
      `cut -d' ' -f2- ${BUNDLE.hashes} | sha256sum -c --quiet`,
      `while read -r digest rest; do`,
      `  name=\${rest#*  }`,
      `  test "$(openssl dgst -sm3 -r "$name" | cut -d' ' -f1)" = "$digest"`,
      `done < ${BUNDLE.hashes}`,
      `grep -q "$(openssl dgst -sm3 -r ${BUNDLE.hashes} | cut -d' ' -f1)" ${BUNDLE.closing}`,
    ),
    '## Plan',
    '',
    'The plan hash is SM3 over `KMC-CEREMONY-V1`, a zero octet, and plan.json without its line end.',
    '',
    block(
      `plan="sm3:$({ printf 'KMC-CEREMONY-V1\\000'; tr -d '\\n' < ${BUNDLE.plan}; } | openssl dgst -sm3 -r | cut -d' ' -f1)"`,
      `test "$plan" = "${planHash(plan)}"`,
      `grep -q "\\"plan\\":\\"$plan\\"" ${BUNDLE.closing}`,
    ),
    '## Transcript',
    '',
    'The hash of a record is SM3 over the hash before it and the record; the first one follows on the plan hash.',
    '',
    block(
      'head=$plan',
      'while IFS= read -r line; do',
      '  record=$(printf \'%s\' "$line" | sed \'s/^{"hash":"sm3:[0-9a-f]*","record"://; s/}$//\')',
      '  head="sm3:$(printf \'%s%s\' "$head" "$record" | openssl dgst -sm3 -r | cut -d\' \' -f1)"',
      `done < ${BUNDLE.transcript}`,
      `grep -q "\\"transcript\\":\\"$head\\"" ${BUNDLE.closing}`,
    ),
    '## Signatures',
    '',
    'Lead, custodians, witness and auditor each signed the digest of the closing with their own SM2 key. Compare the',
    'certificates with those that you know.',
    '',
    block(
      `closing="sm3:$({ printf 'KMC-CEREMONY-V1\\000'; tr -d '\\n' < ${BUNDLE.closing}; } | openssl dgst -sm3 -r | cut -d' ' -f1)"`,
      'for signature in signatures/*.sig; do',
      '  signed=${signature%.sig}',
      '  grep -q "\\"digest\\":\\"$closing\\"" "$signed.bin"',
      '  openssl x509 -in "$signed.pem" -noout -pubkey > "$work/signer.pub"',
      '  openssl pkeyutl -verify -pubin -inkey "$work/signer.pub" -in "$signed.bin" \\',
      `    -sigfile "$signature" ${SM2_OPTIONS}`,
      'done',
    ),
    ...certificateSections(files),
  ].join('\n');
}

function block(...lines: string[]): string {
  return ['```sh', ...lines, '```', ''].join('\n');
}

interface Signed {
  readonly name: string;
  /** Offset of the part that is signed: the length of the outer header. */
  readonly offset: number;
  readonly signatureAlgorithm: string;
  /** Name of the issuer's certificate in the bundle. */
  readonly issuer: string;
}

/** One check for each certificate and CRL whose issuer stands in the bundle. */
function certificateSections(files: ReadonlyMap<string, Buffer>): string[] {
  const certificates = [...files]
    .filter(([name]) => name.startsWith('outputs/') || name.startsWith('inputs/'))
    .flatMap(([name, bytes]) =>
      name.endsWith('.cer') && bytes[0] === 0x30 ? [{ name, value: parseCertificate(bytes) }] : [],
    );
  const issuerOf = (signed: Parameters<typeof verifySignedBy>[0]): string | undefined =>
    certificates.find(({ value }) => isCa(value) && verifySignedBy(signed, value))?.name;
  const signed: Signed[] = [...files].flatMap(([name, bytes]) => {
    if (!name.startsWith(outputFile('')) || !/\.(?:cer|crl)$/.test(name)) return [];
    const value = name.endsWith('.crl') ? parseCertificateList(bytes) : parseCertificate(bytes);
    const issuer = issuerOf(value);
    return issuer === undefined
      ? []
      : [{ name, offset: headerLength(bytes), signatureAlgorithm: value.signatureAlgorithm, issuer }];
  });
  if (signed.length === 0) return [];
  return [
    '## Certificates and lists',
    '',
    'The signed part is taken out of each and verified under the key of its issuer. (`openssl verify -check_ss_sig` fails on',
    'a good self-signed SM2 root, so it is not used.)',
    '',
    ...signed.map(checkOf),
  ];
}

function isCa(certificate: Certificate): boolean {
  return certificate.basicConstraints?.ca === true;
}

/** Octets of the identifier and length of a DER value. */
function headerLength(der: Buffer): number {
  const length = der[1] ?? 0;
  return length < 0x80 ? 2 : 2 + (length & 0x7f);
}

function checkOf({ name, offset, signatureAlgorithm, issuer }: Signed): string {
  const options = signatureAlgorithm === 'SM2-SM3' ? SM2_OPTIONS : '-rawin -digest sha256';
  return block(
    `# ${name}, signed by ${issuer}`,
    `openssl asn1parse -inform DER -in ${name} -strparse ${offset} -noout -out "$work/tbs.der"`,
    `at=$(openssl asn1parse -inform DER -in ${name} | tail -1 | cut -d: -f1 | tr -d ' ')`,
    `openssl asn1parse -inform DER -in ${name} -strparse "$at" -noout -out "$work/sig.der"`,
    `openssl x509 -inform DER -in ${issuer} -noout -pubkey > "$work/issuer.pub"`,
    `openssl pkeyutl -verify -pubin -inkey "$work/issuer.pub" -in "$work/tbs.der" -sigfile "$work/sig.der" ${options}`,
  );
}
