import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandContext } from '../../cli/command.ts';
import type { PersonCaller } from '../../domain/caller.ts';
import type { RoleName } from '../../domain/roles.ts';
import { KmcError } from '../../errors.ts';
import { actionHandlers } from '../../flows/action-handlers.ts';
import { createRequest } from '../../flows/approvals/create-request.ts';
import { decideRequest } from '../../flows/approvals/decide-request.ts';
import { executeRequest } from '../../flows/approvals/execute-request.ts';
import { signDecision } from '../../flows/approvals/sign-decision.ts';
import { sm3Fingerprint } from '../../x509/certificate.ts';
import { takeOverRegistrationAuthorities } from '../../flows/registration-authorities/take-over-registration-authorities.ts';
import type { OpenedInstance } from '../open-instance.ts';
import { developmentCast } from './cast.ts';
import type { DevelopmentStage } from './stage.ts';

const ISSUING_CA = 'sm2-issuing';
const APPROVERS: readonly (readonly [string, RoleName])[] = [
  ['owner-2', 'ca-owner'],
  ['security-1', 'security-administrator'],
  ['security-3', 'security-administrator'],
];

async function callerOf(stage: DevelopmentStage, instance: OpenedInstance, name: string): Promise<PersonCaller> {
  const { certificate } = stage.person(name);
  const certificateSm3 = sm3Fingerprint(certificate);
  const person = await instance.database.read((reader) => reader.people.findByCertificate(certificateSm3));
  if (person === undefined) throw new KmcError('E_NOT_FOUND', `${name} is not a person of this instance.`);
  return { type: 'person', id: person.id, unit: person.unit, roles: person.roles, certificateSm3 };
}

/** The key of the issuing CA, through the same request and approvals as everywhere; gives its CSR. */
async function issuingRequest(stage: DevelopmentStage, instance: OpenedInstance): Promise<Buffer> {
  const ports = { ...instance, handlers: actionHandlers(instance) };
  const source = { node: instance.node };
  const proposer = await callerOf(stage, instance, 'owner-1');
  const params = { commonName: 'Government Extranet Issuing CA G2', organization: 'Government Extranet' };
  const asked = {
    op: 'authority.create-issuing',
    targetId: ISSUING_CA,
    params,
    reason: 'first issuing CA',
    source,
  } as const;
  const created = await createRequest(ports, asked, proposer);
  const { id } = created.request;
  for (const approver of APPROVERS) {
    const [name, role] = approver;
    const decision = await signDecision(
      { engine: instance.engine, ...stage.person(name) },
      { requestId: id, requestDigest: created.digest, decision: 'APPROVE', role, at: instance.clock.now() },
    );
    await decideRequest(ports, { requestId: id, decision, source }, await callerOf(stage, instance, name));
  }
  const { result } = await executeRequest(ports, { requestId: id, source }, proposer);
  const { csr } = result;
  if (typeof csr !== 'string') throw new KmcError('E_INTERNAL', 'The act gave no certification request.');
  return Buffer.from(csr, 'base64');
}

/**
 * Makes a development instance: the first ceremony with the people of its template, an SM2 root and an issuing CA. The
 * service keystore is open afterwards, and every registration authority of policy in service.
 * @param progress told of every person and every step of a ceremony.
 * @throws KmcError as the ceremonies.
 */
export async function makeDevelopmentInstance(
  stage: DevelopmentStage,
  instance: OpenedInstance,
  progress: CommandContext['progress'] = () => undefined,
): Promise<void> {
  const hold = (ceremony: string, inputs: ReadonlyMap<string, Buffer> = new Map()) =>
    stage.hold(ceremony, {
      inputs,
      progress: (done, total, text) => progress(`ceremony ${ceremony}, ${text}`, done, total),
    });
  await stage.makePeople(developmentCast(), (done, total) => progress('people and their keys', done, total));
  await hold('kmc-init');
  await stage.unseal();
  await hold('ca-root');
  await stage.import('sm2-root');
  const csr = await issuingRequest(stage, instance);
  const root = readFileSync(join(stage.bundleOf('sm2-root'), 'outputs', 'sm2-root.cer'));
  const inputs = new Map([
    ['sm2-root.cer', root],
    [`${ISSUING_CA}.csr`, csr],
  ]);
  await hold('ca-issuing', inputs);
  await stage.import(ISSUING_CA);
  // Nobody has to bring authorities into service before a first device can be tried.
  await takeOverRegistrationAuthorities(instance, { type: 'system', id: instance.node }, () => true);
}
