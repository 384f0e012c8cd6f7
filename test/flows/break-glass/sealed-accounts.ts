/** Sealed accounts with their keys at hand, and sessions that they open. */
import { randomBytes } from 'node:crypto';
import { SIGNATURE_ALGORITHMS } from '../../../src/crypto/algorithms.ts';
import type { KeyHandle } from '../../../src/crypto/engine.ts';
import {
  openingBytes,
  type OpeningBody,
  type OpeningStatement,
  type SealedAccountId,
} from '../../../src/domain/break-glass.ts';
import { signedTime } from '../../../src/domain/signed-body.ts';
import { draftOpening } from '../../../src/flows/break-glass/draft-opening.ts';
import { openBreakGlass, type OpenedBreakGlass } from '../../../src/flows/break-glass/open-break-glass.ts';
import type { SealedAccountCaller } from '../../../src/domain/caller.ts';
import { sm3Fingerprint } from '../../../src/x509/certificate.ts';
import type { TestInstance } from '../../fixtures/instance.ts';
import type { HandSigner } from '../../http/live-service.ts';
import { bring, carryOut } from '../people/people-acts.ts';

export interface Bag {
  readonly account: SealedAccountId;
  readonly bag: string;
  readonly key: KeyHandle;
  /** DER. */
  readonly certificate: Buffer;
}

/** The request to seal an account with a new key in a bag. */
export async function sealing(test: TestInstance, account: SealedAccountId, bag: string) {
  const person = { id: account, name: `Sealed account ${account}`, unit: 'safe', organisation: 'kmc' };
  const { key, certificate } = await bring(test, person);
  const params = { bag, certificate: certificate.toString('base64') };
  return { asked: { op: 'break-glass.seal-account' as const, targetId: account, params }, key, certificate };
}

/** Seals an account by an approved act. */
export async function sealBag(test: TestInstance, account: SealedAccountId, bag: string): Promise<Bag> {
  const { asked, key, certificate } = await sealing(test, account, bag);
  await carryOut(test, asked);
  return { account, bag, key, certificate };
}

/** What each of the bags states about one opening; `change` for what a test wants otherwise. */
export async function statementsOf(
  test: TestInstance,
  bags: readonly Bag[],
  change: Partial<OpeningBody> = {},
): Promise<OpeningStatement[]> {
  const { engine, clock, environmentName } = test.instance;
  const declaration = {
    id: `bg-${randomBytes(6).toString('hex')}`,
    environment: environmentName,
    reason: 'forged registrations',
    declaredAt: signedTime(clock.now()),
  };
  return await Promise.all(
    bags.map(async ({ account, bag, key, certificate }) => {
      const body = { ...draftOpening({ account, bag, certificate, at: clock.now(), declaration }), ...change };
      const signature = await engine.sign(key, 'SM2-SM3', openingBytes(body));
      return {
        body,
        signature: SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(signature).toString('base64'),
        certificate: certificate.toString('base64'),
      };
    }),
  );
}

export async function breakGlass(test: TestInstance, bags: readonly Bag[]): Promise<OpenedBreakGlass> {
  const statements = await statementsOf(test, bags);
  return await openBreakGlass(test.instance, { statements, source: { node: 'node-1' } });
}

/** The account as the authentication of a request finds it. */
export function sealedCaller({ account, certificate }: Bag, { session }: OpenedBreakGlass): SealedAccountCaller {
  return { type: 'sealed-account', id: account, session, certificateSm3: sm3Fingerprint(certificate) };
}

export function bagSigner({ instance }: TestInstance, { key, certificate }: Bag): HandSigner {
  return { engine: instance.engine, key, certificate };
}
