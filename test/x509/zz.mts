import { issue, KEYS, samplePlan, issuerOf, SUBJECT_NAME } from './sample-plans.ts';
import { encodeTbsCertificate, parseCertificate, parseTbsCertificate, assembleCertificate } from '../../src/x509/certificate.ts';
import { lintTbsCertificate, certificateFindings } from '../../src/x509/lint/lint-tbs-certificate.ts';
import { lintPair } from '../../src/x509/lint/lint-pair.ts';
import { parseSpki } from '../../src/crypto/spki.ts';
import { decodeDer } from '../../src/crypto/asn1/der.ts';
import { parseName } from '../../src/x509/name.ts';
import { encodeTbsCertList, parseTbsCertList } from '../../src/x509/crl.ts';
import { lintTbsCertList } from '../../src/x509/lint/lint-tbs-cert-list.ts';
import { extensionOf, EXTENSIONS, parseExtensions } from '../../src/x509/extensions.ts';
const plan = samplePlan('gateway-sign');
const c = issue(plan, KEYS.ca.SM2);
const enc = encodeTbsCertificate(samplePlan('gateway-enc'));
function bench(name: string, f: () => unknown, n = 5000) {
  let best = Infinity;
  for (let r = 0; r < 12; r++) { const s = process.cpuUsage(); for (let i = 0; i < n; i++) f(); const u = process.cpuUsage(s); best = Math.min(best, (u.user + u.system) / n); }
  console.log(name.padEnd(20), best.toFixed(2), 'us');
}
bench('encode', () => encodeTbsCertificate(plan));
bench('encode+assemble', () => assembleCertificate(encodeTbsCertificate(plan), 'SM2-SM3', c.signature));
bench('decodeDer', () => decodeDer(c.der));
bench('parseSpki', () => parseSpki(c.spki));
bench('parseName', () => parseName(SUBJECT_NAME, 'E_CERT'));
bench('parseTbs', () => parseTbsCertificate(c.tbs));
bench('parseCertificate', () => parseCertificate(c.der));
const issuer = issuerOf('gateway-sign')!;
bench('findings', () => certificateFindings(c, 'gateway-sign', { issuer }));
bench('lint', () => lintTbsCertificate(c.tbs, 'gateway-sign', { issuer }));
bench('lintPair', () => lintPair(c.tbs, enc));
const entries = Array.from({ length: 100000 }, (_u, i) => ({ serialNumber: '10' + (i * 7919 + 123456789).toString(16).padStart(30, '0'), revocationDate: new Date(1767225600000 + i * 1000), reason: 'keyCompromise' as const }));
const crlPlan = { signatureAlgorithm: 'SM2-SM3' as const, issuer: issuer.subject.der, thisUpdate: new Date('2026-06-01T00:00:00Z'), nextUpdate: new Date('2026-06-08T00:00:00Z'), entries, extensions: [extensionOf(EXTENSIONS.authorityKeyIdentifier, { keyIdentifier: issuer.skid! }), extensionOf(EXTENSIONS.crlNumber, 5n)] };
const tbs = encodeTbsCertList(crlPlan);
console.log(tbs.length);
bench('crl encode 100k', () => encodeTbsCertList(crlPlan), 1);
bench('crl parse 100k', () => parseTbsCertList(tbs), 1);
bench('crl lint 100k', () => lintTbsCertList(tbs, { issuer, previousNumber: 4n }), 1);
