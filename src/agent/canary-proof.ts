/** The canary proof (enrolment-and-root-upgrade A.5): what the operational validator of a device says of two chains. */
import { spkiSm3 } from '../crypto/spki.ts';
import { canaryName } from '../domain/fleet/canary.ts';
import type { CanaryAnswer } from '../domain/fleet/device-report.ts';
import { isObject } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import { parseCertificate, sm3Fingerprint, type Certificate } from '../x509/certificate.ts';
import { validatePath } from '../x509/path.ts';

/** A challenge as it came: chains of DER, leaf first. */
export interface ReceivedCanary {
  readonly nonce: string;
  readonly chain: readonly Buffer[];
  readonly decoy: readonly Buffer[];
}

/** What says whether a chain is to be relied on: keys of the path, leaf first, or nothing. */
export type OperationalValidator = (chain: readonly Buffer[], now: Date) => readonly string[] | undefined;

const MOST_CERTIFICATES = 8;

function chainOf(value: unknown): Buffer[] {
  const isChain =
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= MOST_CERTIFICATES &&
    value.every((text) => typeof text === 'string');
  if (!isChain) throw new KmcError('E_SCHEMA', 'The service answered something that is no canary.');
  return value.map((text: string) => Buffer.from(text, 'base64'));
}

/** The answer of the service. @throws KmcError E_SCHEMA. */
export function readCanary(json: unknown): ReceivedCanary {
  const { nonce, chain, decoy } = isObject(json) ? json : {};
  if (typeof nonce !== 'string') throw new KmcError('E_SCHEMA', 'The service answered something that is no canary.');
  return { nonce, chain: chainOf(chain), decoy: chainOf(decoy) };
}

/** The validator over a store of anchors: that which also judges peers. Anchors are DER. */
export function validatorOver(anchors: readonly Buffer[]): OperationalValidator {
  const trusted = anchors.map((der) => parseCertificate(der));
  return ([leaf, ...rest], now) => {
    if (leaf === undefined) return undefined;
    const intermediates = rest.map((der) => parseCertificate(der));
    const request = { leaf: parseCertificate(leaf), intermediates, anchors: trusted, at: now } as const;
    const verdict = validatePath({ ...request, purpose: 'signature' });
    return verdict.valid ? verdict.path.map(({ spki }) => spkiSm3(spki)) : undefined;
  };
}

function bearsNonce({ subjectAltName = [] }: Certificate, nonce: string): boolean {
  return subjectAltName.some((name) => name.type === 'dNSName' && name.value === canaryName(nonce));
}

/** Puts both chains before the validator and says what came of it. */
export function proveCanary(
  { nonce, chain, decoy }: ReceivedCanary,
  validator: OperationalValidator,
  now: Date,
): CanaryAnswer {
  const [leaf = Buffer.alloc(0)] = chain;
  const [decoyLeaf = Buffer.alloc(0)] = decoy;
  const path = bearsNonce(parseCertificate(leaf), nonce) ? validator(chain, now) : undefined;
  return {
    nonce,
    leafSm3: sm3Fingerprint(leaf),
    accepted: path !== undefined,
    decoySm3: sm3Fingerprint(decoyLeaf),
    decoyAccepted: validator(decoy, now) !== undefined,
    pathSpki: path ?? [],
  };
}
