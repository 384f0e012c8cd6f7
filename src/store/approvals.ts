import type { RoleName } from '../domain/roles.ts';
import type { ApprovalRow, ApprovalWithdrawal, ApprovalWriter } from '../flows/ports/approvals.ts';
import type { Sql } from './sql.ts';
import { blob, optional, Table, text, time, won, word } from './table.ts';

type FlatApproval = Omit<ApprovalRow, 'withdrawal'> & {
  readonly withdrawnAt: Date | undefined;
  readonly withdrawalBody: Buffer | undefined;
  readonly withdrawalSignature: Buffer | undefined;
  readonly withdrawalCertificate: Buffer | undefined;
};

const APPROVALS = new Table<FlatApproval>('approvals', {
  requestId: text,
  personId: text,
  role: word<RoleName>(),
  decision: word<ApprovalRow['decision']>(),
  body: blob,
  signature: blob,
  certificate: blob,
  decidedAt: time,
  withdrawnAt: optional(time),
  withdrawalBody: optional(blob),
  withdrawalSignature: optional(blob),
  withdrawalCertificate: optional(blob),
});

export class StoredApprovals implements ApprovalWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async of(requestId: string): Promise<ApprovalRow[]> {
    const rows = await APPROVALS.all(this.#sql, 'where request_id = ? order by decided_at, person_id', requestId);
    return rows.map(unflatten);
  }

  insert(row: Omit<ApprovalRow, 'withdrawal'>): Promise<boolean> {
    return APPROVALS.insert(this.#sql, {
      ...row,
      withdrawnAt: undefined,
      withdrawalBody: undefined,
      withdrawalSignature: undefined,
      withdrawalCertificate: undefined,
    });
  }

  withdraw(requestId: string, personId: string, withdrawal: ApprovalWithdrawal): Promise<boolean> {
    return won(
      this.#sql.run(
        `update approvals set withdrawn_at = ?, withdrawal_body = ?, withdrawal_signature = ?, withdrawal_certificate = ?
         where request_id = ? and person_id = ? and withdrawn_at is null`,
        withdrawal.at.toISOString(),
        withdrawal.body,
        withdrawal.signature,
        withdrawal.certificate,
        requestId,
        personId,
      ),
    );
  }
}

function unflatten(flat: FlatApproval): ApprovalRow {
  const { withdrawnAt, withdrawalBody, withdrawalSignature, withdrawalCertificate, ...approval } = flat;
  // A CHECK holds them together: one is there when all are.
  const withdrawal =
    withdrawnAt && withdrawalBody && withdrawalSignature && withdrawalCertificate
      ? { body: withdrawalBody, signature: withdrawalSignature, certificate: withdrawalCertificate, at: withdrawnAt }
      : undefined;
  return { ...approval, withdrawal };
}
