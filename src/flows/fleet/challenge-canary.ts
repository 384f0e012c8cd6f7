import { decodePemAll, encodePem } from '../../crypto/asn1/pem.ts';
import { randomBytes } from '../../crypto/random.ts';
import { auditActor, type Caller, type DeviceCaller } from '../../domain/caller.ts';
import { canaryName } from '../../domain/fleet/canary.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, sm3Fingerprint } from '../../x509/certificate.ts';
import { encodeName } from '../../x509/name.ts';
import { maySign } from '../authorities/issuing-authority.ts';
import { insertSingleCertificate, signSingleCertificate } from '../certificates/single-certificate.ts';
import type { Instance } from '../instance.ts';
import type { AuthorityRow } from '../ports/authorities.ts';
import type { Reader } from '../ports/database.ts';
import type { CanaryChallengeRow } from '../ports/device-reports.ts';
import { makeDecoy } from './decoy.ts';

export interface CanaryChallenge {
  readonly nonce: string;
  readonly rootSm3: string;
  /** DER: the leaf to accept, with the CA that issued it. */
  readonly chain: readonly Buffer[];
  /** DER: the leaf to reject, with the CA that issued it. */
  readonly decoy: readonly Buffer[];
  readonly expiresAt: Date;
}

const NONCE_OCTETS = 24;
/** As long as the leaf itself. */
const VALID_MS = 24 * 3_600_000;
/** A challenge that has so much of its life left is given again. */
const REUSED_MS = 3_600_000;

interface Generation {
  readonly root: AuthorityRow;
  readonly issuing: AuthorityRow;
}

/** The root and its newest issuing CA here. @throws KmcError E_NOT_FOUND, E_STATE. */
async function findGeneration(reader: Reader, rootSm3: string): Promise<Generation> {
  const roots = await reader.authorities.findByKey(rootSm3);
  const root = roots.find(({ kind }) => kind === 'root');
  if (root === undefined) throw new KmcError('E_NOT_FOUND', 'There is no root with that key.');
  const [issuing] = (await reader.authorities.list({ kind: 'issuing' }))
    .filter((each) => each.issuerId === root.id && maySign(each, 'canaries'))
    .sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
  if (issuing !== undefined) return { root, issuing };
  throw new KmcError('E_STATE', 'That root has no issuing CA here that could make a canary.');
}

/** The challenge that the device has not answered yet, if it lasts a while. */
async function findStanding(
  reader: Reader,
  deviceId: string,
  { root, issuing }: Generation,
  now: Date,
): Promise<CanaryChallenge | undefined> {
  const open = await reader.deviceReports.canariesOf(deviceId, new Date(now.getTime() + REUSED_MS));
  const row = open.find(({ rootSm3 }) => rootSm3 === root.spkiSm3);
  const leaf = row === undefined ? undefined : await reader.certificates.findByDigest(row.leafSm3);
  if (row === undefined || leaf?.certificate === undefined || leaf.authorityId !== issuing.id) return undefined;
  return challengeOf(row, [leaf.certificate, issuing.certificate]);
}

function challengeOf({ nonce, rootSm3, decoy, expiresAt }: CanaryChallengeRow, chain: Buffer[]): CanaryChallenge {
  return { nonce, rootSm3, chain, decoy: decodePemAll(decoy.toString('latin1'), 'CERTIFICATE'), expiresAt };
}

/**
 * Makes the canary of a root for a device: a leaf that its operational validator must accept, since it chains to that root,
 * and a decoy of the same names that it must reject. The device answers with a signed report. One that it has not
 * answered yet is given again.
 * @param rootSm3 `sm3:<hex>` of the key of the root.
 * @throws KmcError E_FORBIDDEN (no device), E_NOT_FOUND, E_STATE (no issuing CA under it), E_SEALED.
 */
export async function challengeCanary(
  ports: Pick<Instance, 'database' | 'clock' | 'engine' | 'keystore' | 'policies' | 'node'>,
  caller: Caller,
  { rootSm3, requestId }: { readonly rootSm3: string; readonly requestId?: string },
): Promise<CanaryChallenge> {
  if (caller.type !== 'device') throw new KmcError('E_FORBIDDEN', 'The canary is asked for by the device itself.');
  const now = ports.clock.now();
  const generation = await ports.database.read((reader) => findGeneration(reader, rootSm3));
  const standing = await ports.database.read((reader) => findStanding(reader, caller.id, generation, now));
  if (standing !== undefined) return standing;
  return await makeChallenge(ports, caller, generation, { now, requestId });
}

async function makeChallenge(
  ports: Pick<Instance, 'database' | 'engine' | 'keystore' | 'policies' | 'node'>,
  caller: DeviceCaller,
  { root, issuing }: Generation,
  { now, requestId }: { readonly now: Date; readonly requestId: string | undefined },
): Promise<CanaryChallenge> {
  const nonce = randomBytes(NONCE_OCTETS).toString('hex');
  const leaf = {
    subject: encodeName([
      { type: 'C', value: 'CN' },
      { type: 'CN', value: `canary ${nonce.slice(0, 16)}` },
    ]),
    subjectAltName: [{ type: 'dNSName', value: canaryName(nonce) }] as const,
    notBefore: new Date(Math.floor(now.getTime() / 1000) * 1000),
  };
  const key = await ports.engine.generateKeyPair('SM2');
  const row = await signSingleCertificate(
    ports,
    { authorityId: issuing.id, profile: 'canary', spki: key.spki, as: 'canaries', ...leaf },
    leaf.notBefore,
  ).finally(() => ports.engine.destroyKey(key));
  const names = {
    root: parseCertificate(root.certificate),
    issuing: parseCertificate(issuing.certificate),
    issuingId: issuing.id,
  };
  const [decoyLeaf, decoyIssuing] = await makeDecoy(ports, names, leaf);
  const challenge: CanaryChallengeRow = {
    nonce,
    deviceId: caller.id,
    rootSm3: root.spkiSm3,
    leafSm3: sm3Fingerprint(row.certificate),
    decoySm3: sm3Fingerprint(decoyLeaf),
    decoy: Buffer.from(encodePem('CERTIFICATE', decoyLeaf) + encodePem('CERTIFICATE', decoyIssuing), 'latin1'),
    expiresAt: new Date(leaf.notBefore.getTime() + VALID_MS),
  };
  const source = { node: ports.node, ...(requestId === undefined ? {} : { request: requestId }) };
  await ports.database.transaction(async (tx) => {
    await insertSingleCertificate(tx, row, { actor: auditActor(caller), source });
    await tx.deviceReports.insertCanary(challenge);
  });
  return challengeOf(challenge, [row.certificate, issuing.certificate]);
}
