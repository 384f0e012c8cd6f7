/** The certificates of a root upgrade, as the closed ceremonies brought them into the service. */
import { parseCertificate } from '../../x509/certificate.ts';
import { KmcError } from '../../errors.ts';
import { accountInForce } from '../../domain/person.ts';
import type { ManifestParts } from '../../domain/root-upgrade/next-manifest.ts';
import type { UpgradePlan } from '../../domain/root-upgrade/plan.ts';
import type { ManifestBody, SignerKey } from '../../domain/trust/manifest.ts';
import type { AuthorityRow } from '../ports/authorities.ts';
import type { Reader } from '../ports/database.ts';

/** The newest certificate over the key of `subject` that `issuer` signed, DER. */
export async function linkBetween(
  reader: Reader,
  issuer: AuthorityRow,
  subject: AuthorityRow,
): Promise<Buffer | undefined> {
  const rows = await reader.certificates.findByKey(subject.spkiSm3);
  const links = rows.filter(({ authorityId, status }) => authorityId === issuer.id && status === 'good');
  return links.toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime())[0]?.certificate;
}

async function signerKey(reader: Reader, holder: string, at: Date): Promise<SignerKey> {
  const person = await reader.people.find(holder);
  const account = person?.accounts.find(
    ({ certificateSm3 }) => accountInForce(person, certificateSm3, at) !== undefined,
  );
  const der = account === undefined ? undefined : await reader.people.certificate(account.certificateSm3);
  if (account === undefined || der === undefined) {
    throw new KmcError('E_FORBIDDEN', `${holder} has no account in force: a bundle-signer of the plan must have one.`);
  }
  const { spki } = parseCertificate(der);
  return { kid: account.kid, alg: 'SM2-SM3', holder, spki: spki.toString('base64') };
}

async function authority(reader: Reader, id: string): Promise<AuthorityRow> {
  const row = await reader.authorities.find(id);
  if (row === undefined)
    throw new KmcError('E_NOT_FOUND', `The authority ${id} of the plan is not here: import its ceremony.`);
  return row;
}

/**
 * What the next manifest of an upgrade is made of.
 * @param previous the newest version of the bundle.
 * @throws KmcError E_NOT_FOUND for an authority that no ceremony brought yet, E_FORBIDDEN for a signer without an account.
 */
export async function manifestParts(
  reader: Reader,
  plan: UpgradePlan,
  previous: ManifestBody,
  at: Date,
): Promise<ManifestParts> {
  const [oldRoot, newRoot] = [await authority(reader, plan.from.root), await authority(reader, plan.to.root)];
  const issuing = await authority(reader, plan.to.issuing);
  const standby = plan.standby === undefined ? undefined : await authority(reader, plan.standby.root);
  const signers: SignerKey[] = [];
  for (const holder of plan.signers?.holders ?? []) signers.push(await signerKey(reader, holder, at));
  return {
    plan,
    previous,
    newRoot: newRoot.certificate,
    link: await linkBetween(reader, oldRoot, newRoot),
    issuing: issuing.certificate,
    standby: standby?.certificate,
    signers,
  };
}
