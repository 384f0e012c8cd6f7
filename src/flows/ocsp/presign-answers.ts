import { encodeCertId } from '../../x509/ocsp/cert-id.ts';
import { maySign } from '../authorities/issuing-authority.ts';
import type { Instance } from '../instance.ts';
import type { AuthorityRow } from '../ports/authorities.ts';
import type { OcspAnswerRow } from '../ports/ocsp-answers.ts';
import { certIdIssuerOf, openResponder } from './ocsp-responder.ts';
import { answerRow, answerTimes, signAnswer } from './sign-answer.ts';

export type PresignAnswersPorts = Pick<Instance, 'database' | 'clock' | 'engine' | 'keystore' | 'policies'>;

/** The digest that most clients ask with; what is asked with another is signed and kept when it is asked. */
const DIGEST = 'sha1';
/** In one round for one authority: 150,000 certificates in 12 h are some 100 in 30 s. */
const BATCH = 200;
/** Signed and stored together, so that others get their turn between. */
const STORED_TOGETHER = 25;
const PURGE = 5_000;

async function presign(ports: PresignAnswersPorts, authority: AuthorityRow, at: Date): Promise<number> {
  const { ocspIntervalSeconds, ocspValiditySeconds } = ports.policies.revocation;
  const filter = {
    authorityId: authority.id,
    at,
    staleBefore: new Date(at.getTime() - ocspIntervalSeconds * 1000),
    limit: BATCH,
  };
  const due = await ports.database.read((reader) => reader.ocspAnswers.unanswered(filter));
  if (due.length === 0) return 0;
  const issuer = certIdIssuerOf(authority);
  const responder = await openResponder(ports, authority);
  const times = answerTimes(at, ocspValiditySeconds, responder);
  for (let start = 0; start < due.length; start += STORED_TOGETHER) {
    const rows: OcspAnswerRow[] = [];
    for (const row of due.slice(start, start + STORED_TOGETHER)) {
      const certId = { der: encodeCertId(DIGEST, issuer, row.serialNumber) };
      rows.push(answerRow(certId, row, await signAnswer(responder, [{ certId, row }], times), times));
    }
    await ports.database.transaction(async (tx) => {
      for (const row of rows) await tx.ocspAnswers.put(row);
    });
  }
  return due.length;
}

/**
 * Signs the answers of certificates that have none, whose answer is older than the interval of policy, or that changed
 * since; forgets answers that are over. What is signed is served even while the keystore is sealed.
 * @returns how many were signed.
 * @throws KmcError E_SEALED; E_PENDING while an authority has no responder, after the others were done.
 */
export async function presignAnswers(ports: PresignAnswersPorts): Promise<number> {
  const at = ports.clock.now();
  const rows = await ports.database.read((reader) => reader.authorities.list({}));
  let signed = 0;
  let trouble: unknown;
  for (const row of rows.filter((each) => maySign(each, 'lists') && each.inventory !== 'awaited')) {
    try {
      signed += await presign(ports, row, at);
    } catch (error) {
      trouble ??= error;
    }
  }
  await ports.database.transaction((tx) => tx.ocspAnswers.purge(at, PURGE));
  if (trouble !== undefined) throw trouble;
  return signed;
}
