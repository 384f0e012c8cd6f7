import { newId } from '../../domain/id.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { certificateProfile } from '../../domain/policy.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { sm3Fingerprint } from '../../x509/certificate.ts';
import { encodeName } from '../../x509/name.ts';
import { insertCaKey, sealedCaKey } from '../authorities/insert-ca-key.ts';
import { maySign } from '../authorities/issuing-authority.ts';
import { insertSingleCertificate, signSingleCertificate } from '../certificates/single-certificate.ts';
import type { Instance } from '../instance.ts';
import type { AuthorityRow } from '../ports/authorities.ts';
import { findResponders, OCSP_PROFILE } from './ocsp-responder.ts';

export type RenewRespondersPorts = Pick<Instance, 'database' | 'clock' | 'engine' | 'keystore' | 'policies' | 'node'>;

/** A responder is replaced when this part of its life is left: well before the answers under it run out. */
const RENEWAL_PART = 1 / 3;

async function isDue(ports: RenewRespondersPorts, authority: AuthorityRow): Promise<boolean> {
  const at = ports.clock.now();
  const [newest] = await ports.database.read((reader) => findResponders(reader, authority.id, at));
  if (newest === undefined) return true;
  const left = newest.row.notAfter.getTime() - at.getTime();
  const { validitySeconds } = certificateProfile(ports.policies, OCSP_PROFILE);
  return left < validitySeconds * 1000 * RENEWAL_PART && newest.row.notAfter < authority.notAfter;
}

async function makeResponder(ports: RenewRespondersPorts, caller: Caller, authority: AuthorityRow): Promise<void> {
  const { engine, keystore, node } = ports;
  const at = ports.clock.now();
  const keyId = newId('ocsp', at);
  const key = await engine.generateKeyPair(authority.algorithm);
  try {
    const row = await signSingleCertificate(
      ports,
      {
        authorityId: authority.id,
        profile: OCSP_PROFILE,
        subject: encodeName([
          { type: 'C', value: 'CN' },
          { type: 'CN', value: `OCSP responder of ${authority.id}`.slice(0, 64) },
        ]),
        spki: key.spki,
      },
      at,
    );
    const sealed = await sealedCaKey(keystore, keyId, key);
    const event = newId('ev', at);
    const by = { actor: auditActor(caller), source: { node } };
    await ports.database.transaction(async (tx) => {
      // In this order: a key that lies in the keystore may not be certified any more.
      await insertSingleCertificate(tx, row, by);
      await insertCaKey(tx, sealed, at);
      await tx.audit.append(
        {
          id: event,
          action: 'ocsp.signer',
          outcome: 'success',
          subjects: [{ type: 'crl', id: authority.id }],
          terms: [{ type: 'authority', id: authority.id }],
          ...by,
          detail: {
            authority: authority.id,
            certificate: sm3Fingerprint(row.certificate),
            kid: row.spkiSm3,
            serial: row.serialNumber,
            notAfter: signedTime(row.notAfter),
          },
        },
        at,
      );
    });
  } finally {
    engine.destroyKey(key);
  }
}

/**
 * Gives every authority of this service that certifies a new OCSP responder when it has none, or when a third of the last
 * one's life is left. The key has the authority's algorithm: an RSA hierarchy is answered for with RSA, an SM2 one with SM2.
 * @returns the ids of the authorities that got one.
 * @throws KmcError E_SEALED, E_POLICY, E_LINT, after the others were tried.
 */
export async function renewResponders(ports: RenewRespondersPorts, caller: Caller): Promise<readonly string[]> {
  const rows = await ports.database.read((reader) => reader.authorities.list({}));
  const renewed: string[] = [];
  let trouble: unknown;
  for (const row of rows.filter((each) => maySign(each, 'certificates'))) {
    try {
      if (!(await isDue(ports, row))) continue;
      await makeResponder(ports, caller, row);
      renewed.push(row.id);
    } catch (error) {
      if (!(error instanceof KmcError)) throw error;
      trouble ??= error;
    }
  }
  if (trouble !== undefined) throw trouble;
  return renewed;
}
