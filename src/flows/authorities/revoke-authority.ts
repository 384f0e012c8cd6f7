import { spkiSm3 } from '../../crypto/spki.ts';
import { newId } from '../../domain/id.ts';
import { oneOf, requireMembers, type SignedObject } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, sm3Fingerprint } from '../../x509/certificate.ts';
import { ABSENT, type DatabaseHandler } from '../approvals/action-handler.ts';
import type { AuthorityRow } from '../ports/authorities.ts';
import type { RevocationReason } from '../ports/certificates.ts';
import type { Reader } from '../ports/database.ts';

const REASONS = [
  'cACompromise',
  'superseded',
  'cessationOfOperation',
  'affiliationChanged',
] as const satisfies readonly RevocationReason[];

const OUTSTANDING = 'Its certificate stands until its issuer revokes it: sign a CRL of the issuer in a ceremony.';

interface RevocationParameters {
  readonly reason: (typeof REASONS)[number];
}

function reasonOf(params: SignedObject): RevocationParameters['reason'] {
  requireMembers<RevocationParameters>(params, { reason: oneOf(REASONS) }, 'revocation of an authority');
  return params.reason;
}

async function revocable(reader: Reader, id: string): Promise<AuthorityRow> {
  const row = await reader.authorities.find(id);
  if (row === undefined) throw new KmcError('E_NOT_FOUND', 'There is no certification authority of that id.');
  const isOurs = row.kind === 'issuing' && row.keyId !== undefined;
  if (!isOurs && row.kind !== 'external') {
    throw new KmcError('E_USAGE', 'Only an issuing authority of this service, or a registered one, is revoked here.');
  }
  if (row.state === 'revoked') throw new KmcError('E_STATE', 'The certification authority is revoked already.');
  return row;
}

/**
 * The act `authority.revoke`: a registered external authority is not heard over GM/T 0014 any more; an issuing authority of this service issues nothing from now on, and requests signed under
 * its certificates are refused; its CRLs go on until its last certificate ends (C.2). Target `authority/<id>`; parameter
 * `reason`. Verifiers elsewhere learn of it from its issuer's CRL, which is made in a ceremony: the result says so.
 */
export function revokeAuthority(): DatabaseHandler {
  return {
    kind: 'database',
    async target(reader, targetId) {
      const row = await reader.authorities.find(targetId);
      return row === undefined ? ABSENT : { state: row.state, version: String(row.version) };
    },
    async check(reader, targetId, params) {
      reasonOf(params);
      await revocable(reader, targetId);
    },
    async prepare(act) {
      const reason = reasonOf(act.request.params);
      const id = act.request.target.split('/')[1] ?? '';
      const event = newId('ev', act.at);
      return async (tx) => {
        const { kind, state, version, issuerId, certificate: der } = await revocable(tx, id);
        if (!(await tx.authorities.move(id, { state, version }, 'revoked'))) {
          throw new KmcError('E_STALE', 'The authority changed at the same time. Make a new request.');
        }
        const certificate = parseCertificate(der);
        const serial = certificate.serialNumber;
        await tx.audit.append(
          {
            id: event,
            action: 'authority.revoke',
            outcome: 'success',
            subjects: [{ type: 'authority', id, version: version + 1 }],
            terms: [{ type: 'request', id: act.request.id }],
            actor: act.actor,
            source: act.source,
            approvals: act.approvals,
            detail: {
              authority: id,
              certificate: sm3Fingerprint(der),
              kid: spkiSm3(certificate.spki),
              serial,
              reason,
            },
          },
          act.at,
        );
        return {
          authority: id,
          state: 'revoked',
          reason,
          serialNumber: serial,
          ...(issuerId === undefined ? {} : { issuer: issuerId }),
          ...(kind === 'external' ? {} : { outstanding: OUTSTANDING }),
        };
      };
    },
  };
}
