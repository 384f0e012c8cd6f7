import { unsealWith } from '../../../src/cli/unseal-here.ts';
import { REQUEST_SCHEMA, requestDigest, type ApprovalRequest } from '../../../src/domain/approval/request.ts';
import { signedTime } from '../../../src/domain/signed-body.ts';
import { createIssuingKey } from '../../../src/flows/authorities/create-issuing-key.ts';
import type { Participant } from '../../../src/flows/ceremonies/participant.ts';
import type { Instance } from '../../../src/flows/instance.ts';

/** The request of an issuing CA, from the act that an approved request would start. */
export async function issuingRequest(workshop: {
  readonly instance: Instance;
  readonly people: ReadonlyMap<string, Participant>;
}): Promise<Buffer> {
  const { instance } = workshop;
  await unsealWith(instance, [...workshop.people.values()]);
  const body: ApprovalRequest = {
    schema: REQUEST_SCHEMA,
    id: 'req-1',
    op: 'authority.create-issuing',
    target: 'authority/sm2-issuing',
    preState: 'absent',
    targetVersion: '0',
    params: { commonName: 'Government Extranet Issuing CA G2', organization: 'Government Extranet' },
    attachments: [],
    policy: 'L3@1',
    policyDigest: instance.policyDigest,
    proposer: 'p-owner-1',
    reason: 'the first issuing CA',
    createdAt: signedTime(instance.clock.now()),
    expiresAt: signedTime(new Date(instance.clock.now().getTime() + 3_600_000)),
    environment: instance.environmentName,
  };
  const apply = await createIssuingKey(instance).prepare({
    request: body,
    requestDigest: requestDigest(body),
    counted: [],
    at: instance.clock.now(),
    actor: { type: 'system', id: 'kmc' },
    source: { node: instance.node },
    approvals: [],
  });
  const { csr } = await instance.database.transaction((tx) => apply(tx));
  return Buffer.from(typeof csr === 'string' ? csr : '', 'base64');
}
