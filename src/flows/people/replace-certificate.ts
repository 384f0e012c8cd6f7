import { spkiSm3 } from '../../crypto/spki.ts';
import { certificateText } from '../../domain/appointment.ts';
import { oneOf, requireMembers, type SignedObject } from '../../domain/signed-body.ts';
import type { Certificate } from '../../x509/certificate.ts';
import type { ApplyAct, ApprovedAct, DatabaseHandler } from '../approvals/action-handler.ts';
import { requireCertifiable } from '../certificates/require-certifiable.ts';
import type { Instance } from '../instance.ts';
import type { RevocationReason } from '../ports/certificates.ts';
import type { StoredPerson } from '../ports/people.ts';
import { endAccount, endingAccounts } from './end-account.ts';
import { personIdOf, personTarget, presentPerson, stalePerson } from './person-act.ts';
import { preparePersonalCertificate, readPersonalCertificate } from './personal-certificate.ts';

type ReplaceCertificatePorts = Pick<Instance, 'database' | 'clock' | 'engine' | 'keystore' | 'policies'>;

const REASONS = ['superseded', 'keyCompromise', 'affiliationChanged'] as const satisfies readonly RevocationReason[];

interface Replacement {
  readonly certificate: string;
  readonly reason: (typeof REASONS)[number];
}

function readReplacement(params: SignedObject): SignedObject & Replacement {
  const checks = { certificate: certificateText, reason: oneOf(REASONS) };
  requireMembers<Replacement>(params, checks, 'replacement of a certificate');
  return params;
}

function broughtBy(person: StoredPerson, { certificate }: Replacement, at: Date): Certificate {
  return readPersonalCertificate(Buffer.from(certificate, 'base64'), person, at);
}

async function prepare(ports: ReplaceCertificatePorts, act: ApprovedAct): Promise<ApplyAct> {
  const { params } = act.request;
  const { reason } = readReplacement(params);
  const person = await ports.database.read((reader) => presentPerson(reader, personIdOf(act)));
  const brought = broughtBy(person, readReplacement(params), act.at);
  const { row, open } = await preparePersonalCertificate(ports, act, person, brought);
  const replaced = endingAccounts(person, act.at);
  return async (tx) => {
    // Raises the version as well: the accounts are part of what a request is made about.
    if (!(await tx.people.setStatus(person.id, person.version, person.status))) throw stalePerson();
    for (const ending of replaced) await endAccount(tx, act, ending, reason);
    await open(tx);
    return {
      person: person.id,
      certificate: row.certificate.toString('base64'),
      replaced: replaced.map(({ account }) => account.certificateSm3),
    };
  };
}

/**
 * The act `person.replace-certificate`: a certificate over a new key of the person takes the place of every one before.
 * Target `person/<id>`; parameters `certificate`, the self-signed personal certificate over the new key (base64 of DER),
 * and `reason`, why the old one is revoked. A suspended person stays suspended.
 */
export function replaceCertificate(ports: ReplaceCertificatePorts): DatabaseHandler {
  return {
    kind: 'database',
    target: personTarget,
    async check(reader, targetId, params) {
      const replacement = readReplacement(params);
      const brought = broughtBy(await presentPerson(reader, targetId), replacement, ports.clock.now());
      await requireCertifiable(reader, spkiSm3(brought.spki));
    },
    prepare: (act) => prepare(ports, act),
  };
}
