/** `kmc admin appoint …`: the acts on people, proposed through the service. */
import { sideOf } from '../domain/appointment.ts';
import type { RoleGrant } from '../domain/person.ts';
import { subjectPerson } from '../domain/person-name.ts';
import { isRoleName } from '../domain/roles.ts';
import { isObject } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import { parseCertificate, sm3Fingerprint } from '../x509/certificate.ts';
import { answerText } from './answer-table.ts';
import type { Command, OptionSpec } from './command.ts';
import { certificateIn, handOver } from './participants.ts';
import { propose, REASON } from './propose.ts';
import { requestPath } from './shown-request.ts';

const ROLE: OptionSpec = { type: 'string', value: 'ROLE', required: true, help: 'ROLE, or ROLE@REGION' };
const PERSON = ['PERSON'];

/** Splits `ROLE` or `ROLE@REGION`. @throws KmcError E_USAGE. */
function grantOf(text: string): RoleGrant {
  const [role = '', region] = text.split('@', 2);
  if (!isRoleName(role)) throw new KmcError('E_USAGE', `There is no role "${role}".`);
  return region === undefined ? { role } : { role, region };
}

/** The certificate in a person's folder, and whom it names. @throws KmcError E_USAGE, E_NOT_FOUND, E_DER. */
function broughtIn(folder: string) {
  const der = certificateIn(folder);
  const person = subjectPerson(parseCertificate(der).subject);
  if (person !== undefined) return { der, ...person };
  throw new KmcError('E_USAGE', 'The certificate in that folder names no person: make it with kmc admin keygen.');
}

const appoint: Command = {
  noun: 'admin',
  verb: 'appoint',
  summary: 'Proposes to appoint the person whose folder `kmc admin keygen` made; the roles say as what.',
  example:
    'kmc admin appoint people/owner-2 --role ca-owner --reason "second owner" --key me.key.pem --cert me.crt.pem',
  positionals: ['DIR'],
  options: {
    role: { ...ROLE, multiple: true },
    identity: { type: 'string', value: 'DIGEST', help: 'what kmc admin identity-digest printed; needed in production' },
    reason: REASON,
  },
  async run(input, context) {
    const { der, id, ...named } = broughtIn(input.positionals[0] ?? '');
    const roles = input.list('role').map(grantOf);
    const identity = input.text('identity');
    return await propose(context, {
      op: sideOf(roles) === 'audit' ? 'person.appoint-auditor' : 'person.appoint',
      targetId: id,
      params: { ...named, ...(identity === undefined ? {} : { identity }), roles, certificate: der.toString('base64') },
      reason: input.required('reason'),
    });
  },
};

function roleAct(verb: string, op: string, summary: string): Command {
  return {
    noun: 'admin',
    verb,
    summary,
    example: `kmc admin ${verb} p-owner-1 --role ra-operator@110000 --reason "moves" --key me.key.pem --cert me.crt.pem`,
    positionals: PERSON,
    options: { role: ROLE, reason: REASON },
    async run(input, context) {
      const targetId = input.positionals[0] ?? '';
      const params = grantOf(input.required('role'));
      return await propose(context, { op, targetId, params, reason: input.required('reason') });
    },
  };
}

function plainAct(verb: string, op: string, summary: string): Command {
  return {
    noun: 'admin',
    verb,
    summary,
    example: `kmc admin ${verb} p-owner-1 --reason "token lost" --key me.key.pem --cert me.crt.pem`,
    positionals: PERSON,
    options: { reason: REASON },
    async run(input, context) {
      const targetId = input.positionals[0] ?? '';
      return await propose(context, { op, targetId, params: {}, reason: input.required('reason') });
    },
  };
}

const replaceKey: Command = {
  noun: 'admin',
  verb: 'replace-key',
  summary: 'Proposes a certificate over a new key, from the folder that `kmc admin keygen` made for the same person.',
  example:
    'kmc admin replace-key people/owner-1-new --cause keyCompromise --reason "token lost" --key me.key.pem --cert me.crt.pem',
  positionals: ['DIR'],
  options: {
    cause: {
      type: 'string',
      value: 'WORD',
      help: 'why the old one is revoked: superseded (default), keyCompromise, affiliationChanged',
    },
    reason: REASON,
  },
  async run(input, context) {
    const { der, id } = broughtIn(input.positionals[0] ?? '');
    return await propose(context, {
      op: 'person.replace-certificate',
      targetId: id,
      params: { certificate: der.toString('base64'), reason: input.text('cause') ?? 'superseded' },
      reason: input.required('reason'),
    });
  },
};

const collect: Command = {
  noun: 'admin',
  verb: 'collect',
  summary: "Puts the certificate that an appointment or a replacement gave into the person's folder.",
  example: 'kmc admin collect rq-01j... people/owner-2 --key me.key.pem --cert me.crt.pem',
  positionals: ['REQUEST', 'DIR'],
  async run(input, context) {
    const [request = '', folder = ''] = input.positionals;
    const { der: brought, id } = broughtIn(folder);
    const answer = await (await context.client()).json('GET', requestPath(request));
    const certificate = Buffer.from(
      answerText(isObject(answer) ? answer['result'] : undefined, 'certificate'),
      'base64',
    );
    if (certificate.length === 0) {
      throw new KmcError('E_PENDING', 'That request has given no certificate: it is not executed, or another act.');
    }
    if (!parseCertificate(certificate).spki.equals(parseCertificate(brought).spki)) {
      throw new KmcError('E_KEY', 'The certificate is over another key than that of the folder.');
    }
    handOver(folder, { person: id, certificate, shares: {} });
    const fingerprint = sm3Fingerprint(certificate);
    return { json: { person: id, certificate: fingerprint }, text: `${id} ${fingerprint}` };
  },
};

/** Commands of the noun `admin` that need the service. */
export const ADMIN_ACTS: readonly Command[] = [
  appoint,
  roleAct('grant-role', 'person.grant-role', 'Proposes to grant a person a role.'),
  roleAct('revoke-role', 'person.revoke-role', 'Proposes to take a role from a person.'),
  plainAct('suspend', 'person.suspend', 'Proposes to suspend a person until they are enabled again.'),
  plainAct('enable', 'person.enable', 'Proposes to enable a suspended person again.'),
  plainAct('leave', 'person.leave', 'Proposes to end the office of somebody who leaves, for good.'),
  replaceKey,
  collect,
];
