/** Whether a manifest may be published: as a device would check it, and by what this service knows of its anchors and signers. */
import { accountInForce, holdsRoleIn, type Person } from '../../domain/person.ts';
import { applyManifests, upToDateDevice } from '../../domain/trust/apply-manifest.ts';
import { acceptFirstVersion } from '../../domain/trust/first-manifest.ts';
import { versionOf, type Manifest, type SignerKey } from '../../domain/trust/manifest.ts';
import { anchorCertificate, isTransportOnly, requireConsistent } from '../../domain/trust/manifest-consistency.ts';
import { trustRefusal } from '../../domain/trust/trust-rules.ts';
import { KmcError } from '../../errors.ts';
import type { Reader } from '../ports/database.ts';
import type { PublishedBundle } from './read-published.ts';

/** The key is one that its holder signs with: a bundle-signer in force, and for SM2 the key of the holder's account. */
function isOfHolder(key: SignerKey, holder: Person | undefined, at: Date): boolean {
  if (holder?.status !== 'active' || !holdsRoleIn(holder, 'bundle-signer')) return false;
  if (key.alg !== 'SM2-SM3') return true;
  const account = holder.accounts.find(({ kid }) => kid === key.kid);
  return account !== undefined && accountInForce(holder, account.certificateSm3, at) !== undefined;
}

/** Keys that the version before did not list are bundle-signers' here. @throws KmcError E_FORBIDDEN naming the holder. */
async function requireKnownSigners(
  reader: Reader,
  { latest }: PublishedBundle,
  next: Manifest,
  at: Date,
): Promise<void> {
  const known = new Set(latest?.body.signers.flatMap(({ keys }) => keys.map(({ kid }) => kid)));
  for (const key of next.body.signers.flatMap(({ keys }) => keys)) {
    if (known.has(key.kid)) continue;
    if (isOfHolder(key, await reader.people.find(key.holder), at)) continue;
    throw new KmcError('E_FORBIDDEN', `The key of ${key.holder} is not that of a bundle-signer of this instance.`);
  }
}

/** Devices get no anchor that this service does not know. @throws KmcError E_CERT naming the generation. */
async function requireKnownAnchors(reader: Reader, next: Manifest): Promise<void> {
  for (const { gen, state, spkiSm3 } of next.body.anchors) {
    if (state === 'DISTRUSTED') continue;
    const authorities = await reader.authorities.findByKey(spkiSm3);
    if (authorities.some(({ kind }) => kind === 'root' || kind === 'transport')) continue;
    throw new KmcError('E_CERT', `The anchor ${gen} is no root of this service: import its ceremony first.`);
  }
}

/** Version 1 is one that a device in the field accepts, under one of its anchors. @throws KmcError E_TRUST. */
function requireFirst(next: Manifest, purposeOid: string, now: Date): void {
  requireConsistent(next.body);
  const refusals = next.body.anchors
    .filter((each) => !isTransportOnly(each) && each.state !== 'DISTRUSTED')
    .map((each) => {
      try {
        acceptFirstVersion(next, { anchor: anchorCertificate(each), purposeOid, now });
        return undefined;
      } catch (error) {
        return error;
      }
    });
  if (refusals.includes(undefined)) return;
  throw refusals[0] ?? trustRefusal('first-version', 'Version 1 holds no anchor of peers.');
}

function requireAcceptable(
  { latest, retiredSets }: PublishedBundle,
  next: Manifest,
  purposeOid: string,
  at: Date,
): void {
  if (latest !== undefined) {
    applyManifests(upToDateDevice(latest, retiredSets, at), [next], at);
    return;
  }
  if (versionOf(next.body) !== 1) {
    throw trustRefusal('first-version', 'Nothing is published yet: begin with version 1.');
  }
  requireFirst(next, purposeOid, at);
}

/**
 * Refuses a manifest that may not follow what is published.
 * @param purposeOid extended key usage of bundle-signers, dotted: for version 1.
 * @throws KmcError E_TRUST with the rule; E_CERT (an anchor that is not of this service); E_FORBIDDEN (a signer who is none
 * here).
 */
export async function requirePublishable(
  reader: Reader,
  published: PublishedBundle,
  manifest: Manifest,
  { purposeOid, at }: { readonly purposeOid: string; readonly at: Date },
): Promise<void> {
  requireAcceptable(published, manifest, purposeOid, at);
  await requireKnownSigners(reader, published, manifest, at);
  await requireKnownAnchors(reader, manifest);
}
