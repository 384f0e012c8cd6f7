import { bagNumber, SEALED_ACCOUNTS, type SealedAccountId } from '../../domain/break-glass.ts';
import { certificateText } from '../../domain/appointment.ts';
import { newId } from '../../domain/id.ts';
import { requireMembers, type SignedObject } from '../../domain/signed-body.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import { KmcError } from '../../errors.ts';
import { sm3Fingerprint, type Certificate } from '../../x509/certificate.ts';
import { ABSENT, type DatabaseHandler } from '../approvals/action-handler.ts';
import { requireCertifiable } from '../certificates/require-certifiable.ts';
import { readSelfSigned } from '../people/personal-certificate.ts';
import type { SealedAccountRow } from '../ports/break-glass.ts';
import type { Reader } from '../ports/database.ts';

interface Sealing {
  readonly bag: string;
  readonly certificate: string;
}

function readSealing(id: string, params: SignedObject): { readonly bag: string; readonly certificate: Certificate } {
  requireMembers<Sealing>(params, { bag: bagNumber, certificate: certificateText }, 'sealing of an account');
  return { bag: params.bag, certificate: readSelfSigned(Buffer.from(params.certificate, 'base64'), id) };
}

function accountId(text: string): SealedAccountId {
  const id = SEALED_ACCOUNTS.find((known) => known === text);
  if (id !== undefined) return id;
  throw new KmcError('E_NOT_FOUND', `The sealed accounts are ${SEALED_ACCOUNTS.join(', ')}.`);
}

async function accountOf(reader: Reader, id: SealedAccountId): Promise<SealedAccountRow | undefined> {
  return (await reader.breakGlass.accounts()).find((account) => account.id === id);
}

/** A key of its own: not of a person, a device or another bag, and none that was used before. */
async function requireFreshKey(reader: Reader, { spki }: Certificate): Promise<void> {
  const kid = spkiSm3(spki);
  await requireCertifiable(reader, kid);
  const taken = (await reader.people.findByKey(kid)) ?? (await reader.breakGlass.accountByKey(kid));
  if (taken !== undefined) throw new KmcError('E_CONFLICT', 'The key is in use already. Make a new one for the bag.');
}

/**
 * The act `break-glass.seal-account`: a key in a numbered bag becomes one of the three sealed accounts, for the first time,
 * after it was used, or at a routine change. Target `sealed-account/<id>`; parameters `bag`, the number printed on the bag,
 * and `certificate`, self-signed by the key in it (base64 of DER).
 */
export function sealAccount(): DatabaseHandler {
  return {
    kind: 'database',
    async target(reader, targetId) {
      const account = await accountOf(reader, accountId(targetId));
      return account === undefined ? ABSENT : { state: account.state, version: String(account.version) };
    },
    async check(reader, targetId, params) {
      await requireFreshKey(reader, readSealing(accountId(targetId), params).certificate);
    },
    async prepare(act) {
      const id = accountId(act.request.target.split('/')[1] ?? '');
      const { bag, certificate } = readSealing(id, act.request.params);
      const event = newId('ev', act.at);
      const kid = spkiSm3(certificate.spki);
      const certificateSm3 = sm3Fingerprint(certificate.der);
      return async (tx) => {
        await requireFreshKey(tx, certificate);
        const before = await accountOf(tx, id);
        const row = { id, bag, certificateSm3, kid, certificate: certificate.der, sealedAt: act.at };
        if (!(await tx.breakGlass.seal({ ...row, lastAuditEvent: event }, before?.version))) {
          throw new KmcError(
            'E_STALE',
            'The account, or the number of the bag, is taken meanwhile. Make a new request.',
          );
        }
        await tx.audit.append(
          {
            id: event,
            action: 'breakglass.seal-account',
            outcome: 'success',
            subjects: [{ type: 'sealed-account', id, version: (before?.version ?? 0) + 1 }],
            actor: act.actor,
            source: act.source,
            approvals: act.approvals,
            detail: { account: id, bag, certificate: certificateSm3, kid, request: act.request.id },
          },
          act.at,
        );
        return { account: id, bag, certificate: certificateSm3 };
      };
    },
  };
}
