import { spkiSm3 } from '../../crypto/spki.ts';
import {
  applicationSubject,
  readApplicationRegistration,
  type ApplicationNames,
  type ApplicationRegistration,
} from '../../domain/application.ts';
import { auditText } from '../../domain/audit/detail.ts';
import { newId, requireId } from '../../domain/id.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import type { CertificationRequest } from '../../x509/csr.ts';
import type { ApplyAct, ApprovedAct, DatabaseHandler } from '../approvals/action-handler.ts';
import { requireCertifiable } from '../certificates/require-certifiable.ts';
import { insertSingleCertificate, signSingleCertificate } from '../certificates/single-certificate.ts';
import { readProvenRequest } from '../enrolments/admit-request.ts';
import { findDeviceAuthority } from '../enrolments/device-authority.ts';
import type { Instance } from '../instance.ts';
import type { ApplicationRow } from '../ports/applications.ts';
import type { Reader, Transaction } from '../ports/database.ts';
import {
  applicationEvent,
  applicationIdOf,
  applicationTarget,
  changeRow,
  presentApplication,
} from './application-act.ts';

type RegistrationPorts = Pick<Instance, 'clock' | 'database' | 'engine' | 'keystore' | 'policies'>;

/** @throws KmcError E_CSR for another kind of key; E_DER, E_POP and what reading a request refuses. */
function readRequest({ csr }: ApplicationRegistration): CertificationRequest {
  const request = readProvenRequest(csr);
  if (request.keyAlgorithm === 'SM2') return request;
  throw new KmcError('E_CSR', 'An application signs with an SM2 key: make one, and the request with it.');
}

/** The names that the certificate bears: of the request, or those that are registered. */
async function namesOf(reader: Reader, id: string, { names }: ApplicationRegistration): Promise<ApplicationNames> {
  const known = (await reader.applications.find(id)) !== undefined;
  if (names === undefined) {
    if (known) return await presentApplication(reader, id);
    throw new KmcError('E_NOT_FOUND', 'There is no application of that id. State name, unit and organisation too.');
  }
  if (known) throw new KmcError('E_CONFLICT', 'The application is registered: state the certification request alone.');
  return names;
}

function newRow(id: string, { name, unit, organisation }: ApplicationNames, at: Date, event: string): ApplicationRow {
  const row = { id, name, unit, organisation, status: 'in-service', version: 1 } as const;
  return { ...row, registeredAt: at, changedAt: at, lastAuditEvent: event };
}

async function prepare(ports: RegistrationPorts, act: ApprovedAct): Promise<ApplyAct> {
  const id = applicationIdOf(act);
  const registration = readApplicationRegistration(act.request.params);
  const { spki } = readRequest(registration);
  const names = await ports.database.read((reader) => namesOf(reader, id, registration));
  const { row: authority } = await findDeviceAuthority(ports);
  const subject = applicationSubject(id, names);
  const certificate = await signSingleCertificate(
    ports,
    { authorityId: authority.id, profile: 'application', subject, spki },
    act.at,
  );
  const event = newId('ev', act.at);
  const facts = {
    certificate: certificate.certificateSm3 ?? '',
    kid: certificate.spkiSm3,
    serial: certificate.serialNumber,
    notAfter: signedTime(certificate.notAfter),
  };
  const row = newRow(id, names, act.at, event);
  return async (tx: Transaction) => {
    await namesOf(tx, id, registration);
    const by = { actor: act.actor, source: act.source, approvals: act.approvals };
    await insertSingleCertificate(tx, certificate, by);
    if (registration.names === undefined) {
      const present = await presentApplication(tx, id);
      const change = { action: 'application.certify', event, status: present.status, detail: facts } as const;
      await changeRow(tx, act, present, change);
    } else {
      if (!(await tx.applications.insert(row))) {
        throw new KmcError('E_CONFLICT', 'There is an application of that id already.');
      }
      const detail = { ...facts, to: row.status, unit: auditText(row.unit) };
      const change = { action: 'application.register', event, status: row.status, detail } as const;
      await tx.audit.append(applicationEvent(act, row, change), act.at);
    }
    await tx.applications.bindCertificate(certificate.id, id);
    return { application: id, certificateId: certificate.id, certificate: certificate.certificate.toString('base64') };
  };
}

/**
 * The act `application.register`: an application, with a certificate of the profile `application` over the key of its
 * certification request. Target `application/<id>`; parameters `name`, `unit`, `organisation` and `csr` (base64 of
 * PKCS#10). For an application that is known `csr` alone: a certificate over a further key, while the earlier ones go on
 * until they end or are revoked. The names in the certificate are those that people approve, whatever the request asks.
 */
export function registerApplication(ports: RegistrationPorts): DatabaseHandler {
  return {
    kind: 'database',
    target: applicationTarget,
    async check(reader, targetId, params) {
      requireId(targetId, 'id of the application');
      const registration = readApplicationRegistration(params);
      applicationSubject(targetId, await namesOf(reader, targetId, registration));
      await requireCertifiable(reader, spkiSm3(readRequest(registration).spki));
    },
    prepare: (act) => prepare(ports, act),
  };
}
