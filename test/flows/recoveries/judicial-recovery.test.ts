import { join } from 'node:path';
import { expect } from 'chai';
import { canonicalizeSigned } from '../../../src/crypto/jcs.ts';
import { sm3 } from '../../../src/crypto/gm/sm3.ts';
import { verifyEvidence, type RecoveryEvidence } from '../../../src/domain/recovery-evidence.ts';
import { signedTime, type SignedObject } from '../../../src/domain/signed-body.ts';
import type { ErrorCode } from '../../../src/errors.ts';
import { actionHandlers } from '../../../src/flows/action-handlers.ts';
import type { CreatedRequest } from '../../../src/flows/approvals/create-request.ts';
import { executeRequest } from '../../../src/flows/approvals/execute-request.ts';
import { advanceAuditLog } from '../../../src/flows/audit/log/advance-audit-log.ts';
import { CheckpointSight } from '../../../src/flows/audit/checkpoints/checkpoint-sight.ts';
import { OutstandingReceipts } from '../../../src/flows/audit/receipts/outstanding-receipts.ts';
import { createRowMac } from '../../../src/flows/audit/events/row-mac.ts';
import type { Instance } from '../../../src/flows/instance.ts';
import { exportEvidence } from '../../../src/flows/recoveries/export-evidence.ts';
import { createAuditSignerState } from '../../../src/keystore/audit-signer-state.ts';
import { approve, ask } from '../../fixtures/approvals.ts';
import type { CastMember } from '../../fixtures/estate.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { refusal as refusalOf } from '../../crypto/refusal.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { refusal } from '../../store/race.ts';
import { enrolled, type EnrolledDevice } from './enrolled.ts';

const SOURCE = { node: 'node-1' };
const DAY = 86_400;

forEachDatabase('judicial recovery', (fixture) => {
  const test = testInstance(fixture);
  let device: EnrolledDevice;
  let evidence: EnrolledDevice;
  beforeEach(async () => {
    device = await enrolled(test());
    evidence = await enrolled(test(), 'evidence-box');
  });

  /** The instance with a log certificate: the key and certificate of the auditor stand in for it. */
  function logged(): Instance {
    const { instance, people } = test();
    return {
      ...instance,
      audit: { ...instance.audit, certificate: () => Promise.resolve(people.auditor.certificate.der) },
    };
  }

  async function advanceLog(): Promise<void> {
    const { database, clock, engine, keystore, audit } = test().instance;
    const { key } = test().people.auditor;
    test().clock.advance(2);
    await advanceAuditLog(
      {
        database,
        clock,
        engine,
        auditLog: test().database.auditLog,
        signerState: createAuditSignerState(join(test().folder, 'signer')),
        rowMac: createRowMac(engine, keystore.auditMacKeys),
        sight: new CheckpointSight({ name: audit.origin, signer: 'log', spki: key.spki }),
        outstanding: new OutstandingReceipts(),
      },
      { origin: audit.origin, key },
    );
  }

  function params(given: Record<string, string> = {}): SignedObject {
    return {
      caseNumber: '(2026) 京 01 刑初 17 号',
      legalBasis: 'Criminal Procedure Law art. 54, order 17/2026',
      legalDocument: `sm3:${sm3(Buffer.from('order')).toString('hex')}`,
      applicant: 'Court of the district',
      key: device.key.id,
      evidenceCertificate: evidence.enc.der.toString('base64'),
      ...given,
    };
  }

  function propose(given: Record<string, string> = {}, days = 30): Promise<CreatedRequest> {
    const { instance, people } = test();
    const expiresAt = new Date(Math.floor(instance.clock.now().getTime() / 1000) * 1000 + days * DAY * 1000);
    const asked = { op: 'recovery.judicial', targetId: 'case-17', params: params(given), expiresAt } as const;
    return ask(test(), actionHandlers(instance), asked, people.recoveryOfficer.caller);
  }

  function execute({ request }: CreatedRequest, by: CastMember = test().people.recoveryOfficer): Promise<string> {
    const { instance } = test();
    const ports = { ...instance, handlers: actionHandlers(instance) };
    return executeRequest(ports, { requestId: request.id, source: SOURCE }, by.caller).then(({ result }) =>
      String(result['recovery']),
    );
  }

  async function recovered(): Promise<string> {
    const { recoveryOfficerTwo, recoveryOfficerOfCourt } = test().people;
    const created = await propose();
    await approve(test(), created, [recoveryOfficerTwo, recoveryOfficerOfCourt]);
    const id = await execute(created);
    await advanceLog();
    return id;
  }

  it('hands the key out in an envelope to the evidence certificate, in an audit class of its own', async () => {
    const id = await recovered();
    const row = await test().database.read((reader) => reader.recoveries.find(id));
    expect(row).to.include({ kind: 'judicial', keyId: device.key.id, caseId: 'case-17' });
    // The escrowed key of the evidence box is its encryption key: take it as its holder has it.
    const { engine } = test().instance;
    const holder = await engine.openKey(
      await test().instance.keystore.kek('escrow-store', evidence.key.kekVersion),
      { keyId: evidence.key.id, usage: 'encrypt', objectVersion: evidence.key.objectVersion },
      evidence.key.sealedKey ?? Buffer.alloc(0),
    );
    const opened = await engine.openEnvelopedKey(holder, row?.envelopedKey ?? Buffer.alloc(0));
    expect(opened.spki.equals(device.enc.spki)).to.equal(true);
    await refusalOf('E_DECRYPT', () => engine.openEnvelopedKey(device.signKey, row?.envelopedKey ?? Buffer.alloc(0)));
    const told = (await test().history('key', device.key.id)).at(-1);
    expect(told).to.deep.include({ act: 'key.recover-judicial', cls: 'key.judicial' });
    expect(told?.det).to.include({ case: params()['caseNumber'], applicant: 'Court of the district', state: 'active' });
    expect(told?.appr?.length).to.equal(2);
  });

  it('needs officers of two organisations, its window, and happens once', async () => {
    const { recoveryOfficerTwo, recoveryOfficerOfCourt, securityOne } = test().people;
    const created = await propose();
    await refusal('E_QUORUM', execute(created));
    await approve(test(), created, [recoveryOfficerTwo]);
    await refusal('E_QUORUM', execute(created));
    await refusal('E_FORBIDDEN', approve(test(), created, [securityOne]));
    await approve(test(), created, [recoveryOfficerOfCourt]);
    expect(await execute(created)).to.match(/^recovery-/);
    await refusal('E_STATE', execute(created));
    const late = await propose({}, 1);
    await approve(test(), late, [recoveryOfficerTwo, recoveryOfficerOfCourt]);
    test().clock.advance(2 * DAY);
    await refusal('E_TIME', execute(late));
    expect((await test().database.read((reader) => reader.recoveries.list({}, { limit: 9 }))).length).to.equal(1);
  });

  it('is not proposed with what could never be executed, nor by somebody else', async () => {
    const { instance, people } = test();
    const tries: readonly (readonly [ErrorCode, Record<string, string>])[] = [
      ['E_SCHEMA', { legalDocument: 'a paper' }],
      ['E_SCHEMA', { caseNumber: '' }],
      ['E_NOT_FOUND', { key: 'key-unknown' }],
      ['E_DER', { evidenceCertificate: Buffer.from('no certificate').toString('base64') }],
      ['E_CERT', { evidenceCertificate: evidence.sign.der.toString('base64') }],
    ];
    for (const [code, given] of tries) await refusal(code, propose(given));
    await refusal('E_TIME', propose({}, 91));
    const asked = { op: 'recovery.judicial', targetId: 'case-17', params: params() } as const;
    await refusal('E_FORBIDDEN', ask(test(), actionHandlers(instance), asked, people.caOperatorOne.caller));
    test().clock.advance(11 * 365 * DAY);
    await refusal('E_CERT', propose());
  });

  it('leaves evidence that verifies offline, once a signed checkpoint holds its event', async () => {
    const { estate, people } = test();
    const { recoveryOfficerTwo, recoveryOfficerOfCourt } = people;
    const created = await propose();
    await approve(test(), created, [recoveryOfficerTwo, recoveryOfficerOfCourt]);
    const id = await execute(created);
    expect((await refusal('E_PENDING', exportEvidence(logged(), id))).retryAfter).to.equal(2);
    await advanceLog();
    const text = await exportEvidence(logged(), id);
    const trust = {
      administratorAnchors: [estate.administratorCa.certificate.der],
      roots: [estate.root.certificate.der],
    };
    const verified = verifyEvidence(text, trust);
    expect(verified.requestDigest).to.equal(created.digest);
    expect([...verified.approvers].sort()).to.deep.equal([recoveryOfficerOfCourt.id, recoveryOfficerTwo.id].sort());
    expect(verified.checked).to.include('certificate chain');
    await refusalOf('E_AUDIT', () => verifyEvidence(text, { ...trust, logKey: `sm3:${'0'.repeat(64)}` }));
    await refusalOf('E_CERT', () =>
      verifyEvidence(text, { ...trust, roots: [estate.administratorCa.certificate.der] }),
    );
    await refusalOf('E_CERT', () => verifyEvidence(text, { administratorAnchors: [estate.root.certificate.der] }));
  });

  it('leaves evidence of which every altered part is found', async () => {
    const { estate } = test();
    const text = await exportEvidence(logged(), await recovered());
    const whole = JSON.parse(text) as RecoveryEvidence;
    const other = evidence.enc.der.toString('base64');
    const { request } = whole.approvals;
    const late = signedTime(new Date(Date.parse(request.expiresAt) + 1000));
    const [first = '', ...proof] = whole.audit.proof;
    const altered: readonly (readonly [ErrorCode, object])[] = [
      ['E_APPROVAL', { case: 'case-18' }],
      ['E_APPROVAL', { evidenceCertificate: device.enc.der.toString('base64') }],
      ['E_TIME', { recoveredAt: late }],
      ['E_KEY', { certificate: other }],
      ['E_AUDIT', { keyState: 'deactivated' }],
      ['E_AUDIT', { recovery: 'recovery-other' }],
      ['E_AUDIT', { audit: { ...whole.audit, proof } }],
      ['E_AUDIT', { audit: { ...whole.audit, proof: [Buffer.alloc(32, first.length).toString('base64'), ...proof] } }],
      ['E_AUDIT', { audit: { ...whole.audit, index: String(Number(whole.audit.index) - 1) } }],
      ['E_SIGNATURE', { audit: { ...whole.audit, logCertificate: other } }],
      ['E_APPROVAL', { approvals: { ...whole.approvals, request: { ...request, reason: 'another reason' } } }],
      ['E_QUORUM', { approvals: { ...whole.approvals, approvals: whole.approvals.approvals.slice(1) } }],
      ['E_SCHEMA', { audit: { ...whole.audit, proof: 'none' } }],
      ['E_SCHEMA', { more: 'members' }],
    ];
    const trust = { administratorAnchors: [estate.administratorCa.certificate.der] };
    verifyEvidence(text, trust);
    for (const [code, change] of altered) {
      const changed = canonicalizeSigned({ ...whole, ...change });
      await refusalOf(code, () => verifyEvidence(changed, trust)).catch((error: unknown) => {
        throw new Error(`${Object.keys(change).join()}: ${String(error)}`);
      });
    }
  });
});
