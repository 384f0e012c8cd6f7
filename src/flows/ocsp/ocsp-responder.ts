/** Who signs the OCSP answers of an authority: its delegated responder, or itself once it certifies nobody any more. */
import { KEY_ALGORITHMS } from '../../crypto/algorithms.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import { CertIdIssuer } from '../../x509/ocsp/cert-id.ts';
import { maySign, openAuthority } from '../authorities/issuing-authority.ts';
import { findDelegates, type DelegateKind, type DelegateRow } from '../certificates/delegate.ts';
import type { ObjectSigner } from '../certificates/sign-checked.ts';
import type { Instance } from '../instance.ts';
import type { AuthorityRow } from '../ports/authorities.ts';

export const OCSP_RESPONDER: DelegateKind = { profile: 'ocsp', keyPrefix: 'ocsp' };

export interface OcspResponder {
  readonly signer: ObjectSigner;
  /** Of a delegated responder, DER: it goes with every answer. */
  readonly certificate: Buffer | undefined;
  /** No answer is good for longer. */
  readonly notAfter: Date;
}

export type ResponderPorts = Pick<Instance, 'database' | 'clock' | 'engine' | 'keystore'>;

async function delegatedOf({ database, clock }: ResponderPorts, authorityId: string): Promise<DelegateRow | undefined> {
  const [delegated] = await database.read((reader) => findDelegates(reader, OCSP_RESPONDER, authorityId, clock.now()));
  return delegated;
}

async function open(
  ports: ResponderPorts,
  authority: AuthorityRow,
  delegated: DelegateRow | undefined,
): Promise<OcspResponder> {
  if (delegated !== undefined) {
    const key = await ports.keystore.caKey(delegated.keyId);
    const algorithm = KEY_ALGORITHMS[key.algorithm].defaultSignature;
    const { certificate, row } = delegated;
    return { signer: { engine: ports.engine, key, algorithm }, certificate, notAfter: row.notAfter };
  }
  if (!maySign(authority, 'certificates') && maySign(authority, 'lists')) {
    const { signer } = await openAuthority(ports, authority);
    return { signer, certificate: undefined, notAfter: authority.notAfter };
  }
  throw new KmcError('E_PENDING', `The authority ${authority.id} has no OCSP responder yet.`);
}

/**
 * Opens the responder of an authority. Called outside of any `read` or `transaction`.
 * @throws KmcError E_SEALED; E_PENDING while there is no responder yet: the regular work makes one.
 */
export async function openResponder(ports: ResponderPorts, authority: AuthorityRow): Promise<OcspResponder> {
  return await open(ports, authority, await delegatedOf(ports, authority.id));
}

const KEPT_MS = 10_000;

/** How CertIDs name the certificates of an authority. */
export function certIdIssuerOf(authority: AuthorityRow): CertIdIssuer {
  return new CertIdIssuer({ name: authority.subject, spki: parseCertificate(authority.certificate).spki });
}

/** Opens responders, and looks for their certificates only now and then: a look for each answer would cost more than it. */
export class OpenResponders {
  readonly #ports: ResponderPorts;
  /** An authority is a name and a key: these never change. */
  readonly #issuers = new Map<string, CertIdIssuer>();
  readonly #found = new Map<string, { readonly delegated: DelegateRow; readonly until: number }>();

  constructor(ports: ResponderPorts) {
    this.#ports = ports;
  }

  /** @throws KmcError as openResponder. */
  async of(authority: AuthorityRow): Promise<OcspResponder> {
    const now = this.#ports.clock.now().getTime();
    const known = this.#found.get(authority.id);
    if (known !== undefined && now < known.until) return await open(this.#ports, authority, known.delegated);
    const delegated = await delegatedOf(this.#ports, authority.id);
    if (delegated !== undefined) this.#found.set(authority.id, { delegated, until: now + KEPT_MS });
    return await open(this.#ports, authority, delegated);
  }

  /** How CertIDs name the certificates of an authority. */
  issuer(authority: AuthorityRow): CertIdIssuer {
    const known = this.#issuers.get(authority.id);
    if (known !== undefined) return known;
    const issuer = certIdIssuerOf(authority);
    this.#issuers.set(authority.id, issuer);
    return issuer;
  }
}
