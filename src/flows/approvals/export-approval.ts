import { approvalFileText } from '../../domain/approval/file.ts';
import { KmcError } from '../../errors.ts';
import { bodyOf, requestOf, type ApprovalPorts } from './stored-request.ts';

/**
 * The approval file of a request (CONTRACT 5): request, approvals in force, and the certificates of the administrator CA,
 * so that `kmc approval verify` needs nothing else. One state gives the same text every time.
 * @throws KmcError E_NOT_FOUND, E_INTEGRITY.
 */
export async function exportApproval(ports: ApprovalPorts, requestId: string): Promise<string> {
  return ports.database.snapshot(async (reader) => {
    const row = await reader.requests.find(requestId);
    if (row === undefined) throw new KmcError('E_NOT_FOUND', 'There is no request with that id.');
    const decisions = await reader.approvals.of(row.id);
    const authorities = await reader.authorities.list({ kind: 'administrator' });
    return approvalFileText({
      request: requestOf(row, ports.environmentName),
      approvals: decisions
        .filter((one) => one.withdrawal === undefined && one.decision === 'APPROVE')
        .map((one) => ({
          body: bodyOf(one),
          signature: one.signature.toString('base64'),
          certificate: one.certificate.toString('base64'),
        })),
      chain: authorities.map((authority) => authority.certificate.toString('base64')),
    });
  });
}
