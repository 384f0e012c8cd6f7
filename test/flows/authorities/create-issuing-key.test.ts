import { expect } from 'chai';
import { encodePem } from '../../../src/crypto/asn1/pem.ts';
import { spkiSm3 } from '../../../src/crypto/spki.ts';
import { executeRequest } from '../../../src/flows/approvals/execute-request.ts';
import { createIssuingKey } from '../../../src/flows/authorities/create-issuing-key.ts';
import { parseCsr } from '../../../src/x509/csr.ts';
import { withOpenssl } from '../../crypto/openssl.ts';
import { refusal } from '../../crypto/refusal.ts';
import { approve, ask } from '../../fixtures/approvals.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';

const ASKED = {
  op: 'authority.create-issuing',
  targetId: 'sm2-issuing-2',
  params: { commonName: 'Issuing CA 2', organization: 'KMC test' },
} as const;
const COOL_DOWN = 3600;

forEachDatabase('createIssuingKey', (fixture) => {
  const test = testInstance(fixture);
  const handlers = () => ({ 'authority.create-issuing': createIssuingKey(test().instance) });
  const propose = (
    asked: Omit<typeof ASKED, 'params' | 'targetId'> & { targetId: string; params: Record<string, string> } = ASKED,
  ) => ask(test(), handlers(), asked, SYSTEM);
  const execute = (requestId: string) =>
    executeRequest(
      // As in production: a development instance does not cool down.
      { ...test().instance, environment: 'production', handlers: handlers() },
      { requestId, source: { node: 'node-1' } },
      test().people.caOwner.caller,
    );
  const approvers = () => {
    const { caOwner, securityOne, securityTwo } = test().people;
    return [caOwner, securityOne, securityTwo];
  };

  it('makes the key once three have approved, and a request that openssl verifies', async () => {
    const created = await propose();
    await approve(test(), created, approvers());
    test().clock.advance(COOL_DOWN);
    const { result } = await execute(created.request.id);
    const der = Buffer.from(String(result['csr']), 'base64');
    const key = await test().database.read((reader) => reader.keystoreRows.caKey('sm2-issuing-2'));
    expect(key?.spkiSm3).to.equal(spkiSm3(parseCsr(der).spki));
    expect(result).to.include({ keyId: 'sm2-issuing-2', kid: key?.spkiSm3 });
    withOpenssl((folder) => {
      folder.write('ca.csr', Buffer.from(encodePem('CERTIFICATE REQUEST', der)));
      folder.run('req', '-in', 'ca.csr', '-verify', '-noout', '-vfyopt', 'distid:1234567812345678');
    });
    const opened = await test().instance.keystore.caKey('sm2-issuing-2');
    expect(opened.spki.equals(parseCsr(der).spki)).to.equal(true);
    const [event] = await test().history('key', 'sm2-issuing-2');
    expect(event?.act).to.equal('key.generate');
  });

  it('refuses while an approval is missing, and during the cool-down', async () => {
    const created = await propose();
    await approve(test(), created, approvers().slice(0, 2));
    await refusal('E_QUORUM', () => execute(created.request.id));
    await approve(test(), created, approvers().slice(2));
    await refusal('E_PENDING', () => execute(created.request.id));
    expect(await test().database.read((reader) => reader.keystoreRows.caKey('sm2-issuing-2'))).to.equal(undefined);
  });

  it('refuses parameters that could not be done before anybody approves them', async () => {
    await refusal('E_SCHEMA', () => propose({ ...ASKED, params: { commonName: 'x' } }));
    await refusal('E_ID', () => propose({ ...ASKED, targetId: 'A B' }));
  });

  it('does not make a second key of the same id', async () => {
    const first = await propose();
    const second = await propose();
    for (const created of [first, second]) await approve(test(), created, approvers());
    test().clock.advance(COOL_DOWN);
    await execute(first.request.id);
    await refusal('E_STALE', () => execute(second.request.id));
  });
});
