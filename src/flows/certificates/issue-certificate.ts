import { auditActor, type Caller } from '../../domain/caller.ts';
import type { Clock, Transaction } from '../ports/database.ts';
import {
  insertSingleCertificate,
  signSingleCertificate,
  type SingleCertificate,
  type SingleCertificateInput,
  type SingleCertificatePorts,
} from './single-certificate.ts';

export interface IssueCertificatePorts extends SingleCertificatePorts {
  readonly clock: Clock;
  readonly node: string;
}

export type IssueCertificateInput = SingleCertificateInput;

/** What is written in the same transaction as the certificate. */
export type AlongWithCertificate = (tx: Transaction, row: SingleCertificate) => Promise<void>;

/**
 * Issues one certificate that is not half of a pair: of a person, of the log, of the service's own TLS.
 * @param along what else belongs to it, e.g. the account that it opens.
 * @throws KmcError E_NOT_FOUND, E_STATE, E_SEALED, E_POLICY, E_LINT; E_KEY_BLOCKED for a key that may not be certified.
 */
export async function issueCertificate(
  ports: IssueCertificatePorts,
  caller: Caller,
  input: IssueCertificateInput,
  along?: AlongWithCertificate,
): Promise<SingleCertificate> {
  const row = await signSingleCertificate(ports, input, ports.clock.now());
  return await ports.database.transaction(async (tx) => {
    await insertSingleCertificate(tx, row, { actor: auditActor(caller), source: { node: ports.node } });
    await along?.(tx, row);
    return row;
  });
}
