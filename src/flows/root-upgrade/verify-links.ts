/**
 * The check that T3 makes by itself (A.5): our own validator and a program that shares no code with it accept every
 * certificate of the upgrade, link by link.
 */
import { KmcError } from '../../errors.ts';
import type { UpgradePlan } from '../../domain/root-upgrade/plan.ts';
import { parseCertificate, type Certificate } from '../../x509/certificate.ts';
import { validatePath } from '../../x509/path.ts';
import { verifySignedBy } from '../../x509/path/issuer-signature.ts';
import type { Database, Reader } from '../ports/database.ts';
import type { LinkVerifier } from '../ports/link-verifier.ts';
import { linkBetween } from './manifest-parts.ts';

/** A certificate, and who must have signed it. */
interface Link {
  readonly name: string;
  readonly subject: Certificate;
  readonly issuer: Certificate;
}

/** What a link certificate may be signed with; SHA-1 never, even where the old root signed itself with it (A.2 point 6). */
const LINK_SIGNATURES: readonly string[] = ['RSA-SHA256', 'RSA-PSS-SHA256', 'SM2-SM3', 'ECDSA-P256-SHA256'];

async function readLinks(reader: Reader, { from, to, standby }: UpgradePlan): Promise<(Link | string)[]> {
  const rows = {
    oldRoot: await reader.authorities.find(from.root),
    newRoot: await reader.authorities.find(to.root),
    issuing: await reader.authorities.find(to.issuing),
    standby: standby === undefined ? undefined : await reader.authorities.find(standby.root),
  };
  if (rows.oldRoot === undefined || rows.newRoot === undefined || rows.issuing === undefined) {
    return ['The old root, the new root or the new issuing CA is not here.'];
  }
  const [oldRoot, newRoot] = [parseCertificate(rows.oldRoot.certificate), parseCertificate(rows.newRoot.certificate)];
  const newWithOld = await linkBetween(reader, rows.oldRoot, rows.newRoot);
  const oldWithNew = await linkBetween(reader, rows.newRoot, rows.oldRoot);
  const standbyRoot = rows.standby === undefined ? undefined : parseCertificate(rows.standby.certificate);
  const link = (name: string, der: Buffer | undefined, issuer: Certificate): Link | string =>
    der === undefined
      ? `${name} is missing: hold the ceremony of the links.`
      : { name, subject: parseCertificate(der), issuer };
  return [
    { name: 'NewWithNew', subject: newRoot, issuer: newRoot },
    link('NewWithOld', newWithOld, oldRoot),
    link('OldWithNew', oldWithNew, newRoot),
    { name: `the issuing CA ${to.issuing}`, subject: parseCertificate(rows.issuing.certificate), issuer: newRoot },
    ...(standbyRoot === undefined ? [] : [{ name: 'the standby root', subject: standbyRoot, issuer: standbyRoot }]),
  ];
}

/** What our own code has against a link. */
function ownFaults({ name, subject, issuer }: Link, at: Date): string[] {
  const isRoot = subject.der.equals(issuer.der);
  const faults: string[] = [];
  if (!verifySignedBy(subject, issuer)) faults.push(`${name} was not signed by its issuer.`);
  if (!isRoot) {
    if (!LINK_SIGNATURES.includes(subject.signatureAlgorithm)) {
      faults.push(`${name} is signed with ${subject.signatureAlgorithm}, which no link may be.`);
    }
    const path = { leaf: subject, intermediates: [], anchors: [issuer], at } as const;
    const verdict = validatePath({ ...path, purpose: 'issuing-ca', profile: 'legacy' });
    if (!verdict.valid) faults.push(...verdict.reasons.map(({ detail }) => `${name}: ${detail}`));
  }
  return faults;
}

/**
 * Verifies every certificate that T3 takes over. Slow, since it runs a program for each: never inside a transaction.
 * @returns what is wrong or missing, for people; empty when everything is accepted by both verifiers.
 */
export async function verifyLinks(
  { database, links }: { readonly database: Database; readonly links: LinkVerifier },
  plan: UpgradePlan,
  at: Date,
): Promise<string[]> {
  const found = await database.read((reader) => readLinks(reader, plan));
  const faults: string[] = [];
  for (const link of found) {
    if (typeof link === 'string') {
      faults.push(link);
      continue;
    }
    faults.push(...ownFaults(link, at));
    try {
      const isAccepted = await links.accepts(link.subject.der, link.issuer.der);
      if (!isAccepted) faults.push(`${links.name} does not accept ${link.name}.`);
    } catch (error) {
      if (!(error instanceof KmcError)) throw error;
      faults.push(`${link.name} was not verified: ${error.message}`);
    }
  }
  return faults;
}
