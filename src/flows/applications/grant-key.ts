import { inOrder, readGrant, type GrantParameters } from '../../domain/application.ts';
import { newId } from '../../domain/id.ts';
import { requireOperation } from '../../domain/managed-key.ts';
import type { SignedObject } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import type { ApplyAct, ApprovedAct, DatabaseHandler } from '../approvals/action-handler.ts';
import type { KeyGrantRow } from '../ports/applications.ts';
import type { Reader } from '../ports/database.ts';
import { applicationIdOf, applicationTarget, changeRow, presentApplication } from './application-act.ts';

export type GrantActName = 'application.grant' | 'application.withdraw-grant';

/** @throws KmcError E_NOT_FOUND for a key that is not there; E_USAGE for what keys of its kind do not do. */
async function requireGrantable(reader: Reader, { key, operations }: GrantParameters): Promise<void> {
  const managed = await reader.managedKeys.find(key);
  if (managed === undefined) throw new KmcError('E_NOT_FOUND', 'There is no managed key of that id.');
  for (const operation of operations) requireOperation(managed.kind, operation);
}

/**
 * The grant as it will stand.
 * @throws KmcError E_NOT_FOUND, E_USAGE; E_STATE when nothing changes.
 */
async function changedGrant(
  reader: Reader,
  name: GrantActName,
  applicationId: string,
  asked: GrantParameters,
): Promise<Pick<KeyGrantRow, 'operations' | 'version'> & { readonly granted: KeyGrantRow | undefined }> {
  await requireGrantable(reader, asked);
  const granted = await reader.applications.grant(applicationId, asked.key);
  const before = granted?.operations ?? [];
  const after =
    name === 'application.grant'
      ? inOrder([...before, ...asked.operations])
      : before.filter((operation) => !asked.operations.includes(operation));
  if (after.length === before.length) throw new KmcError('E_STATE', 'The grant says so already: nothing would change.');
  return { operations: after, version: (granted?.version ?? 0) + 1, granted };
}

function prepare(name: GrantActName, act: ApprovedAct): ApplyAct {
  const applicationId = applicationIdOf(act);
  const asked = readGrant(act.request.params);
  const event = newId('ev', act.at);
  return async (tx) => {
    const row = await presentApplication(tx, applicationId);
    const { operations, version, granted } = await changedGrant(tx, name, applicationId, asked);
    const times = { grantedAt: granted?.grantedAt ?? act.at, changedAt: act.at };
    const grant = { applicationId, keyId: asked.key, operations, version, ...times, lastAuditEvent: event };
    if (!(await tx.applications.putGrant(grant))) {
      throw new KmcError('E_STALE', 'The grant changed at the same time. Make a new request.');
    }
    const detail = { key: asked.key, operations: inOrder(asked.operations).join(' ') };
    const terms = [{ type: 'managed-key', id: asked.key }];
    await changeRow(tx, act, row, { action: name, event, status: row.status, detail, terms });
    return { application: applicationId, key: asked.key, operations: [...operations] };
  };
}

/**
 * The acts `application.grant` and `application.withdraw-grant`: what an application may do with a managed key. Target
 * `application/<id>`; parameters `key` and `operations`, a list of operations that keys of its kind do.
 */
export function grantKey(name: GrantActName): DatabaseHandler {
  return {
    kind: 'database',
    target: applicationTarget,
    async check(reader, targetId, params: SignedObject) {
      await presentApplication(reader, targetId);
      await changedGrant(reader, name, targetId, readGrant(params));
    },
    prepare: (act) => Promise.resolve(prepare(name, act)),
  };
}
