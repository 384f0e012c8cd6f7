import { KEY_ALGORITHMS, SIGNATURE_ALGORITHMS } from '../../crypto/algorithms.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import { signedBytes, signedTime, type SignedObject } from '../../domain/signed-body.ts';
import { isSignedBy, peerMessage, statusReason, type VerdictReason } from '../../domain/verdict.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, sm3Fingerprint, type Certificate } from '../../x509/certificate.ts';
import { validatePath, type PathPurpose, type PathReason } from '../../x509/path.ts';
import type { DelegatePorts } from '../certificates/delegate.ts';
import type { AuthorityRow, AuthorityState } from '../ports/authorities.ts';
import { statusReasons } from './certificate-status.ts';
import { openVerdictKey } from './verdict-key.ts';

export interface ChainToVerify {
  /** DER, the certificate in question first. */
  readonly chain: readonly [Buffer, ...Buffer[]];
  readonly purpose: PathPurpose;
  /** The time for which it is to hold; now unless told. */
  readonly at?: Date;
  /** Of the caller's, repeated in the verdict: it is no older than the question. */
  readonly nonce?: string;
  /** What the gateway that was challenged answered. */
  readonly peer?: { readonly nonce: string; readonly signature: Buffer };
}

/** A verdict, signed: `"KMC-VERDICT-V1" 0x00 || JCS(body)` by the key of the certificate. */
export interface SignedVerdict {
  readonly body: SignedObject & { readonly valid: boolean; readonly reasons: readonly VerdictReason[] };
  readonly signatures: readonly { readonly kid: string; readonly sig: string }[];
  /** Base64 DER. */
  readonly certificate: string;
}

/** An authority in one of these states anchors nothing. */
const NO_ANCHOR: readonly AuthorityState[] = ['staged', 'retired', 'revoked'];

function pathReasonOf({ rule, cites, subject, serialNumber, detail }: PathReason): VerdictReason {
  return { code: rule, clause: cites, subject, serialNumber, detail };
}

function certificatesOf(rows: readonly AuthorityRow[], kind: AuthorityRow['kind']): Certificate[] {
  return rows
    .filter((row) => row.kind === kind && (kind !== 'root' || !NO_ANCHOR.includes(row.state)))
    .map(({ certificate }) => parseCertificate(certificate));
}

/** Takes the challenge of the peer away once it is answered; a wrong answer leaves it as it was. */
async function peerReasons(
  ports: DelegatePorts,
  leaf: Certificate,
  peer: ChainToVerify['peer'],
): Promise<{ reasons: VerdictReason[]; challenger?: string }> {
  if (peer === undefined) return { reasons: [] };
  const challenge = await ports.database.read((reader) => reader.peerChallenges.find(peer.nonce));
  const isOpen = challenge !== undefined && challenge.expiresAt > ports.clock.now();
  if (!isOpen || challenge.peerSm3 !== sm3Fingerprint(leaf.der)) {
    return { reasons: [statusReason('peer-challenge', leaf, 'was not challenged with that nonce, or too long ago')] };
  }
  const { nonce, challengerSm3, peerSm3 } = challenge;
  if (!isSignedBy(leaf, peerMessage(nonce, challengerSm3, peerSm3), peer.signature)) {
    return { reasons: [statusReason('peer-signature', leaf, 'did not sign the challenge')] };
  }
  if (await ports.database.transaction((tx) => tx.peerChallenges.take(nonce))) {
    return { reasons: [], challenger: challengerSm3 };
  }
  return { reasons: [statusReason('peer-challenge', leaf, 'answered that challenge before')] };
}

async function sign(ports: DelegatePorts, body: SignedVerdict['body']): Promise<SignedVerdict> {
  const { key, certificate } = await openVerdictKey(ports);
  const algorithm = KEY_ALGORITHMS[key.algorithm].jsonSignature;
  const signature = await ports.engine.sign(key, algorithm, signedBytes('verdict', body));
  const sig = SIGNATURE_ALGORITHMS[algorithm].toRaw(signature).toString('base64');
  return { body, signatures: [{ kid: spkiSm3(key.spki), sig }], certificate: certificate.toString('base64') };
}

function parsed(ders: readonly Buffer[]): Certificate[] {
  return ders.map((der, index) => {
    try {
      return parseCertificate(der);
    } catch (error) {
      if (!(error instanceof KmcError)) throw error;
      const pointers = [{ pointer: `/chain/${index}`, detail: error.message }];
      throw new KmcError(error.code, 'A certificate of the chain cannot be read.', { cause: error, pointers });
    }
  });
}

/**
 * Says whether a certificate is to be relied on for a purpose at a time, with every reason against it: the path to a root
 * of this service (RFC 5280 6; intermediates of the service need not be sent), and what the service knows of each
 * certificate in it. With `peer` the certificate's holder must also have signed a challenge that was made for it (C.5),
 * which holds once. RSA and ECDSA chains are held to the rules for estates from before the upgrade.
 * @throws KmcError E_DER, E_CERT, E_KEY, E_POINT for a certificate that cannot be read; E_SEALED; E_STATE before an SM2
 * issuing CA is in service.
 */
export async function verifyChain(ports: DelegatePorts, input: ChainToVerify): Promise<SignedVerdict> {
  const [leaf, ...given] = parsed(input.chain);
  if (leaf === undefined) throw new KmcError('E_SCHEMA', 'A chain has at least one certificate.');
  const now = ports.clock.now();
  const at = input.at ?? now;
  const { found, status } = await ports.database.read(async (reader) => {
    const rows = await reader.authorities.list({});
    const verdict = validatePath({
      leaf,
      intermediates: [...given, ...certificatesOf(rows, 'issuing')],
      anchors: certificatesOf(rows, 'root'),
      at,
      purpose: input.purpose,
      ...(leaf.keyAlgorithm === 'SM2' ? {} : { profile: 'legacy' as const }),
    });
    return { found: verdict, status: await statusReasons(reader, verdict.path, at) };
  });
  const path = found.valid ? [] : found.reasons.map(pathReasonOf);
  const peer = path.length + status.length === 0 ? await peerReasons(ports, leaf, input.peer) : { reasons: [] };
  const reasons = [...path, ...status, ...peer.reasons];
  return await sign(ports, {
    schema: 'kmc.verdict/1',
    valid: reasons.length === 0,
    reasons,
    certificate: sm3Fingerprint(leaf.der),
    path: found.path.map(({ der }) => sm3Fingerprint(der)),
    purpose: input.purpose,
    at: signedTime(at),
    checkedAt: signedTime(now),
    ...(input.nonce === undefined ? {} : { nonce: input.nonce }),
    ...(input.peer === undefined ? {} : { peerNonce: input.peer.nonce }),
    ...('challenger' in peer ? { challenger: peer.challenger } : {}),
  });
}
