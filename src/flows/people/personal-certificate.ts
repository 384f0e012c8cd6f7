/** The certificate that a person brings, and the one that the administrator CA gives over the same key. */
import { spkiSm3 } from '../../crypto/spki.ts';
import { newId } from '../../domain/id.ts';
import type { Person } from '../../domain/person.ts';
import { personSubject } from '../../domain/person-name.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, sm3Fingerprint, type Certificate } from '../../x509/certificate.ts';
import { encodeName } from '../../x509/name.ts';
import { verifySignedBy } from '../../x509/path/issuer-signature.ts';
import type { ApprovedAct } from '../approvals/action-handler.ts';
import {
  insertSingleCertificate,
  signSingleCertificate,
  type SingleCertificate,
  type SingleCertificatePorts,
} from '../certificates/single-certificate.ts';
import type { Reader, Transaction } from '../ports/database.ts';
import type { AccountRow } from '../ports/people.ts';
import { personEvent } from './person-act.ts';

export type NamedPerson = Pick<Person, 'id' | 'name' | 'unit' | 'organisation' | 'region'>;

/**
 * Reads a self-signed SM2 certificate (DER). Its signature over itself proves that the person has the key.
 * @throws KmcError E_POP; E_DER, E_CERT for what is no certificate.
 */
export function readSelfSigned(der: Buffer, personId: string): Certificate {
  const certificate = parseCertificate(der);
  const isSelfSigned = certificate.issuer.der.equals(certificate.subject.der);
  if (certificate.keyAlgorithm === 'SM2' && isSelfSigned && verifySignedBy(certificate, certificate))
    return certificate;
  throw new KmcError('E_POP', `The certificate that ${personId} brought is not self-signed by an SM2 key.`);
}

/**
 * Reads the self-signed certificate that a request names: it names the person of the request, so that what approvers read
 * is what they certify, and it is in force at `at`.
 * @throws KmcError E_POP; E_DER, E_CERT.
 */
export function readPersonalCertificate(der: Buffer, person: NamedPerson, at: Date): Certificate {
  const certificate = readSelfSigned(der, person.id);
  if (!certificate.subject.der.equals(encodeName(personSubject(person)))) {
    throw new KmcError('E_POP', 'The certificate that was brought names another person, unit or organisation.');
  }
  if (at < certificate.notBefore || at > certificate.notAfter) {
    throw new KmcError('E_POP', 'The certificate that was brought is not in force: make a new one.');
  }
  return certificate;
}

async function administratorCa(reader: Reader): Promise<string> {
  const [newest] = (await reader.authorities.list({ kind: 'administrator', state: 'active' })).sort(
    (a, b) => b.createdAt.getTime() - a.createdAt.getTime(),
  );
  if (newest === undefined) throw new KmcError('E_STATE', 'There is no administrator CA in service.');
  return newest.id;
}

/** The account that a certificate of the administrator CA opens. */
export function accountRow(personId: string, row: SingleCertificate): AccountRow {
  return {
    certificateSm3: sm3Fingerprint(row.certificate),
    kid: row.spkiSm3,
    personId,
    certificate: row.certificate,
    tokenSerial: undefined,
    notBefore: row.notBefore,
    notAfter: row.notAfter,
    status: 'valid',
    createdAt: row.createdAt,
  };
}

/** Records a new account of a person who is in the database. */
export type OpenAccount = (tx: Transaction) => Promise<void>;

/**
 * Signs the person's certificate over the key that was brought.
 * @returns the certificate, and what records it with the account and the events.
 * @throws KmcError as `signSingleCertificate`; E_CONFLICT out of `open` when the key has an account already.
 */
export async function preparePersonalCertificate(
  ports: SingleCertificatePorts,
  act: ApprovedAct,
  person: NamedPerson,
  brought: Certificate,
): Promise<{ readonly row: SingleCertificate; readonly open: OpenAccount }> {
  const authorityId = await ports.database.read(administratorCa);
  const subject = encodeName(personSubject(person));
  const input = { authorityId, profile: 'administrator', subject, spki: brought.spki };
  const row = await signSingleCertificate(ports, input, act.at);
  const event = newId('ev', act.at);
  const account = accountRow(person.id, row);
  const open: OpenAccount = async (tx) => {
    await insertSingleCertificate(tx, row, { actor: act.actor, source: act.source, approvals: act.approvals });
    if (!(await tx.people.insertAccount(account))) {
      throw new KmcError('E_CONFLICT', 'The key has an account already: make a new one.');
    }
    const ids = { id: event, action: 'person.certificate-issue', person: person.id } as const;
    const detail = {
      certificate: account.certificateSm3,
      kid: spkiSm3(brought.spki),
      serial: row.serialNumber,
      notAfter: signedTime(row.notAfter),
    };
    await tx.audit.append(personEvent(act, ids, detail), act.at);
  };
  return { row, open };
}
