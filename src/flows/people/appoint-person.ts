import { readAppointment, sideOf, type Appointment, type Side } from '../../domain/appointment.ts';
import { auditText } from '../../domain/audit/detail.ts';
import { newId, requireId } from '../../domain/id.ts';
import { requireCompatibleRoles } from '../../domain/roles.ts';
import type { SignedObject } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import type { Certificate } from '../../x509/certificate.ts';
import type { ApplyAct, ApprovedAct, DatabaseHandler } from '../approvals/action-handler.ts';
import { requireCertifiable } from '../certificates/require-certifiable.ts';
import type { Instance } from '../instance.ts';
import type { Reader, Transaction } from '../ports/database.ts';
import { personEvent, personIdOf, personTarget } from './person-act.ts';
import { preparePersonalCertificate, readPersonalCertificate, type NamedPerson } from './personal-certificate.ts';

export type AppointPersonPorts = Pick<
  Instance,
  'database' | 'clock' | 'engine' | 'environment' | 'keystore' | 'policies'
>;

interface Appointed {
  readonly person: NamedPerson;
  readonly roles: Appointment['roles'];
  readonly identity: string | undefined;
  readonly brought: Certificate;
}

function requireSide(roles: Appointment['roles'], side: Side): void {
  const found = sideOf(roles) ?? 'operating';
  if (found === side) return;
  const act = found === 'audit' ? 'person.appoint-auditor' : 'person.appoint';
  throw new KmcError('E_FORBIDDEN', `Whoever is to have these roles is appointed by ${act}.`);
}

function appointedBy(
  { policies, environment }: AppointPersonPorts,
  side: Side,
  id: string,
  params: SignedObject,
  at: Date,
): Appointed {
  const { certificate, roles, identity, ...named } = readAppointment(params, policies.regions);
  const person = { id: requireId(id, 'id of the person'), ...named };
  requireCompatibleRoles(
    roles.map(({ role }) => role),
    policies.exclusions,
  );
  requireSide(roles, side);
  if (identity === undefined && environment === 'production') {
    throw new KmcError('E_SCHEMA', 'The identity is missing: make it with kmc admin identity-digest.');
  }
  return { person, roles, identity, brought: readPersonalCertificate(certificate, person, at) };
}

/** @throws KmcError E_SAME_PERSON when a record of this human being is there. */
async function requireNewIdentity(reader: Reader, identity: string | undefined): Promise<void> {
  const known = identity === undefined ? undefined : await reader.people.findByIdentity(identity);
  if (known === undefined) return;
  throw new KmcError('E_SAME_PERSON', `This human being is ${known.id} here: change the roles of that record.`);
}

async function insertPerson(tx: Transaction, { person, roles, identity }: Appointed, at: Date): Promise<void> {
  const row = { ...person, region: person.region, identityDigest: identity, status: 'active', version: 1 } as const;
  await requireNewIdentity(tx, identity);
  if (!(await tx.people.insert({ ...row, createdAt: at }))) {
    throw new KmcError('E_CONFLICT', 'There is a person of that id already.');
  }
  for (const grant of roles) await tx.people.grantRole(person.id, grant, at);
}

async function prepare(ports: AppointPersonPorts, side: Side, act: ApprovedAct): Promise<ApplyAct> {
  const appointed = appointedBy(ports, side, personIdOf(act), act.request.params, act.at);
  const { person, roles, brought } = appointed;
  const { row, open } = await preparePersonalCertificate(ports, act, person, brought);
  const ids = { appoint: newId('ev', act.at), roles: roles.map(() => newId('ev', act.at)) };
  const events = [
    personEvent(
      act,
      { id: ids.appoint, action: 'person.appoint', person: person.id },
      { status: 'active', unit: auditText(person.unit) },
    ),
    ...roles.map(({ role, region }, at) =>
      personEvent(
        act,
        { id: ids.roles[at] ?? '', action: 'person.role-grant', person: person.id },
        { role, ...(region === undefined ? {} : { region }) },
      ),
    ),
  ];
  return async (tx) => {
    await insertPerson(tx, appointed, act.at);
    for (const event of events) await tx.audit.append(event, act.at);
    await open(tx);
    return { person: person.id, certificate: row.certificate.toString('base64') };
  };
}

/**
 * The acts `person.appoint` (side `operating`) and `person.appoint-auditor` (side `audit`): the roles say which one it
 * takes. Target `person/<id>`; parameters `name`, `unit`, `organisation`, `region` where the person works in one, `roles`
 * (list of `role`, and `region` for a regional one), `identity` (in production) and `certificate`, the self-signed personal certificate (base64 of
 * DER). The administrator CA certifies the same key; the self-signed certificate counts for nothing.
 */
export function appointPerson(ports: AppointPersonPorts, side: Side): DatabaseHandler {
  return {
    kind: 'database',
    target: personTarget,
    async check(reader, targetId, params) {
      const { brought, identity } = appointedBy(ports, side, targetId, params, ports.clock.now());
      if ((await reader.people.find(targetId)) !== undefined) {
        throw new KmcError('E_CONFLICT', 'There is a person of that id already.');
      }
      await requireNewIdentity(reader, identity);
      await requireCertifiable(reader, spkiSm3(brought.spki));
    },
    prepare: (act) => prepare(ports, side, act),
  };
}
