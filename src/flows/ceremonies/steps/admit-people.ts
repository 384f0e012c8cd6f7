import { spkiSm3 } from '../../../crypto/spki.ts';
import { stepText } from '../../../domain/ceremony/ceremony-file.ts';
import { personInputName, type PersonSpec } from '../../../domain/ceremony/people.ts';
import type { TranscriptFile } from '../../../domain/ceremony/transcript.ts';
import { newId } from '../../../domain/id.ts';
import { personSubject } from '../../../domain/person-name.ts';
import { signedTime } from '../../../domain/signed-body.ts';
import { KmcError } from '../../../errors.ts';
import { parseCertificate, sm3Fingerprint, type Certificate } from '../../../x509/certificate.ts';
import { encodeName } from '../../../x509/name.ts';
import type { AuditAction } from '../../../domain/audit/actions.ts';
import { issueCertificate } from '../../certificates/issue-certificate.ts';
import type { CertificateRow } from '../../ports/certificates.ts';
import type { Transaction } from '../../ports/database.ts';
import { accountRow, readSelfSigned } from '../../people/personal-certificate.ts';
import type { CeremonyRun } from '../ceremony-run.ts';
import type { StepAct } from '../step-act.ts';

/** Admits the first people: a certificate of the administrator CA over each one's own key, an account, and roles. */
export const admitPeople: StepAct = {
  async act(run, step) {
    const files: TranscriptFile[] = [];
    const issuer = stepText(step, 'issuer');
    const { people } = run.facts.file;
    for (const person of people) {
      const brought = readSelfSigned(run.input(personInputName(person)), person.id);
      const admitted = run.isRepeated(step) ? await admittedCertificate(run, person, brought) : undefined;
      const certificate = admitted ?? (await admit(run, issuer, person, brought)).certificate;
      run.noteIssued(person.id, parseCertificate(certificate));
      files.push(run.write(certificateFile(person), certificate));
    }
    return { text: `admitted ${people.length} people`, files, facts: { people: String(people.length) } };
  },
  recall(run) {
    for (const person of run.facts.file.people) run.noteIssued(person.id, run.certificate(certificateFile(person)));
  },
};

const certificateFile = ({ id }: Pick<PersonSpec, 'id'>): string => `people/${id}.cer`;

/** The certificate (DER) of somebody who was admitted, with this key, before the step was cut. */
async function admittedCertificate(
  run: CeremonyRun,
  { id }: PersonSpec,
  brought: Certificate,
): Promise<Buffer | undefined> {
  const kid = spkiSm3(brought.spki);
  return await run.service.database.read(async ({ people }) => {
    const account = (await people.find(id))?.accounts.find((one) => one.kid === kid);
    return account === undefined ? undefined : await people.certificate(account.certificateSm3);
  });
}

async function admit(
  run: CeremonyRun,
  authorityId: string,
  person: PersonSpec,
  brought: Certificate,
): Promise<CertificateRow & { certificate: Buffer }> {
  const { service, caller } = run;
  const at = service.clock.now();
  const event = (): string => newId('ev', at);
  const ids = { appoint: event(), certificate: event(), roles: person.roles.map(event) };
  const subject = encodeName(personSubject(person));
  const input = { authorityId, profile: 'administrator', subject, spki: brought.spki };
  return await issueCertificate(service, caller, input, async (tx, row) => {
    const append = async (id: string, action: AuditAction, detail: Readonly<Record<string, string>>): Promise<void> => {
      const subjects = [{ type: 'person' as const, id: person.id }];
      const actor = { type: 'system' as const, id: caller.id };
      const source = { node: service.node };
      await tx.audit.append({ id, action, outcome: 'success', subjects, actor, source, detail }, row.createdAt);
    };
    await insertPerson(tx, person, row);
    await append(ids.appoint, 'person.appoint', { status: 'active', unit: person.unit });
    for (const [position, grant] of person.roles.entries()) {
      await tx.people.grantRole(person.id, grant, row.createdAt);
      const region: Record<string, string> = grant.region === undefined ? {} : { region: grant.region };
      await append(ids.roles[position] ?? '', 'person.role-grant', { role: grant.role, ...region });
    }
    await append(ids.certificate, 'person.certificate-issue', {
      certificate: sm3Fingerprint(row.certificate),
      kid: row.spkiSm3,
      serial: row.serialNumber,
      notAfter: signedTime(row.notAfter),
    });
  });
}

async function insertPerson(
  tx: Transaction,
  person: PersonSpec,
  row: CertificateRow & { certificate: Buffer },
): Promise<void> {
  const isNew = await tx.people.insert({
    id: person.id,
    name: person.name,
    unit: person.unit,
    organisation: person.organisation,
    region: person.region,
    identityDigest: person.identity,
    status: 'active',
    version: 1,
    createdAt: row.createdAt,
  });
  const hasAccount = await tx.people.insertAccount(accountRow(person.id, row));
  if (!isNew || !hasAccount) throw new KmcError('E_CONFLICT', `The person ${person.id}, or the key, is known already.`);
}
