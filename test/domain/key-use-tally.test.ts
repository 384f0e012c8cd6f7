import { expect } from 'chai';
import fc from 'fast-check';
import { KeyUseTally, type AskedUses } from '../../src/domain/key-use-tally.ts';

const AT = new Date('2026-12-01T08:00:30Z');
const CALLER = { id: 'app-1', certificateSm3: 'sm3:00' };

function asked(count: number, more: Partial<AskedUses> = {}): AskedUses {
  return { versionId: 'mk-1-v1', number: 1, operation: 'encrypt', count, limit: undefined, caller: CALLER, ...more };
}

describe('the tally of uses', () => {
  it('never takes more than was reserved, and accounts for all of it, whatever the order', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('take' as const), count: fc.integer({ min: 1, max: 20 }) }),
      fc.record({ kind: fc.constant('reserve' as const), count: fc.integer({ min: 1, max: 50 }) }),
      fc.record({ kind: fc.constant('drain' as const), count: fc.constant(0) }),
      fc.record({ kind: fc.constant('drain-in-vain' as const), count: fc.constant(0) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const tally = new KeyUseTally<number>();
        let reserved = 0;
        let left = 0;
        let taken = 0;
        let unused = 0;
        let counted = 0;
        const account = (): void => {
          const { counts, blocks } = tally.drain();
          for (const { operations } of counts) counted += operations.get('encrypt') ?? 0;
          for (const block of blocks) unused += block.left;
          left = 0;
        };
        for (const { kind, count } of steps) {
          if (kind === 'take') {
            const did = tally.take(asked(count), AT);
            expect(did).to.equal(count <= left);
            if (did) [left, taken] = [left - count, taken + count];
          } else if (kind === 'reserve') {
            await tally.reserve(asked(count), () => Promise.resolve({ block: count, size: count }));
            [left, reserved] = [left + count, reserved + count];
          } else if (kind === 'drain') account();
          else tally.restore(tally.drain());
        }
        account();
        expect([counted, counted + unused]).to.deep.equal([taken, reserved]);
      }),
    );
  });

  it('reserves once for all who need the same at the same time, and apart for what a limit holds', async () => {
    const tally = new KeyUseTally<string>();
    let reservations = 0;
    const reserve = (): Promise<{ block: string; size: number }> => {
      reservations += 1;
      return Promise.resolve({ block: 'a block', size: 10 });
    };
    await Promise.all([1, 2, 3].map(() => tally.reserve(asked(1), reserve)));
    expect(reservations).to.equal(1);
    expect(tally.take(asked(1, { limit: 5 }), AT)).to.equal(false);
    await tally.reserve(asked(1, { limit: 5 }), reserve);
    expect([reservations, tally.take(asked(10, { limit: 5 }), AT)]).to.deep.equal([2, true]);
  });

  it('lets the next one try when a reservation fails', async () => {
    const tally = new KeyUseTally<string>();
    const failed = await tally.reserve(asked(1), () => Promise.reject(new Error('gone'))).catch(() => 'failed');
    expect(failed).to.equal('failed');
    await tally.reserve(asked(1), () => Promise.resolve({ block: 'a block', size: 1 }));
    expect(tally.take(asked(1), AT)).to.equal(true);
  });

  it('knows when a minute is over, and counts each minute and caller apart', () => {
    const tally = new KeyUseTally<string>();
    tally.fail(asked(1), AT);
    expect(tally.hasCompleted(new Date('2026-12-01T08:00:59.999Z'))).to.equal(false);
    expect(tally.hasCompleted(new Date('2026-12-01T08:01:00Z'))).to.equal(true);
    tally.fail(asked(1), new Date('2026-12-01T08:01:00Z'));
    tally.fail(asked(1, { caller: { ...CALLER, certificateSm3: 'sm3:11' } }), AT);
    expect(tally.drain().counts.map(({ failures }) => failures)).to.deep.equal([1, 1, 1]);
  });
});
