/** G5: each admission is charged once and settled at most once, whatever is repeated, overlaps or is lost on the wire. */
import { type Admission, budget, createTollgate, memoryStore, type Outcome, slidingWindow } from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import fc from 'fast-check';
import { check } from '../helpers/oracle-log.js';
import { type Fault, scattered } from '../helpers/scattered-store.js';

// Histories of steps that overlap take their time.
jest.setTimeout(30_000);

const DOLLAR = 1_000_000_000;

/** A gate with one budget, over a store that waits to be told, and an admission that was charged $2. */
async function admittedFor2() {
  const wire = scattered(memoryStore());
  const daily = budget({ name: 'daily', limit: '$100', per: 'day' });
  const prices = { default: { input: '$1/M', output: '$1/M' } } as const;
  const clock = manualClock();
  const gate = createTollgate({ clock, store: wire.store, budgets: [daily], prices });
  gate.on('store.failed', () => {});
  const decision = await gate.admit({ permits: 1, usd: '$2' });
  if (!decision.admitted) throw new Error(decision.refusal.detail);
  const { admission } = decision;

  /** Asks, where steps of the store wait to be done. */
  const ask = <T>(what: () => T): T => wire.within({ owner: admission, mayFail: true }, what);
  const used = async () => (await gate.inspect({})).budgets[0].used;
  async function drain(faults: readonly (Fault | undefined)[] = []): Promise<void> {
    for (let i = 0; wire.waiting() > 0; i++) {
      wire.run(0, faults[i]);
      await new Promise(setImmediate);
    }
  }
  return { gate, wire, admission, ask, used, drain, clock };
}

const outcomes = fc.constantFrom<Outcome>(
  { usd: '$1' },
  { usd: '$7' },
  { outcome: 'ignored' },
  { outcome: 'failed' },
  {},
);

function dueOf({ outcome, usd }: Outcome): number {
  return outcome === 'ignored' ? 0 : Number(usd?.slice(1) ?? 2) * DOLLAR;
}

describe('G5 once', () => {
  it('charges what is never settled as estimated', async () => {
    expect(await (await admittedFor2()).used()).toBe(2 * DOLLAR);
  });

  it('settles to what the first of many settles says', async () => {
    await check(
      fc.asyncProperty(fc.array(outcomes, { minLength: 1, maxLength: 20, size: 'max' }), async (many) => {
        const { admission, ask, wire, used, drain } = await admittedFor2();
        const settling = ask(() => Promise.all(many.map((outcome) => admission.settle(outcome))));
        expect(wire.waiting()).toBe(1);
        await drain();
        await settling;
        await admission.settle({ usd: '$50' });
        await admission.conclude({ usd: '$60' });
        expect(await used()).toBe(dueOf(many[0]));
      }),
      100,
    );
  });

  it('settles once where answers are lost, however often it has to be asked for again', async () => {
    const faults = fc.array(fc.constantFrom<Fault>('before', 'after'), { maxLength: 6 });
    await check(
      fc.asyncProperty(fc.array(outcomes, { minLength: 2, maxLength: 4 }), faults, async (tries, faults) => {
        const { admission, ask, used, drain, clock } = await admittedFor2();
        const settling = ask(() => admission.settle(tries[0]));
        for (const fault of faults) {
          await drain([fault]);
          // It is not waited for until the store answers, and what comes after it counts no more.
          await settling;
          for (const later of tries.slice(1)) await admission.settle(later);
          clock.advance(1000);
        }
        await drain();
        await settling;
        expect(await used()).toBe(dueOf(tries[0]));
      }),
      100,
    );
  });

  it('lets one settle supersede a provisional end, while that is under way too', async () => {
    await check(
      fc.asyncProperty(outcomes, outcomes, fc.boolean(), async (first, second, waits) => {
        const { admission, ask, used, drain } = await admittedFor2();
        const concluding = ask(() => admission.conclude(first));
        if (waits) await drain();
        const settling = ask(() => Promise.all([admission.settle(second), admission.settle(first)]));
        await drain();
        await Promise.all([concluding, settling]);
        expect(await used()).toBe(dueOf(second));
      }),
      100,
    );
  });

  const changes: Record<
    string,
    (admission: Admission, gate: Awaited<ReturnType<typeof admittedFor2>>['gate']) => Promise<unknown>
  > = {
    'more is charged': (admission) => admission.extend({ outputTokens: 3_000_000 }),
    'it is changed to cost more': (extending, gate) => gate.admit({ permits: 1, usd: '$4' }, { extending }),
    'it is changed to cost less': (extending, gate) => gate.admit({ permits: 1, usd: '$1' }, { extending }),
  };

  it.each(Object.entries(changes))('settles to what was used, at whatever moment, while %s', async (_, change) => {
    for (let moment = 0; moment < 30; moment++) {
      const { gate, admission, ask, wire, used, drain } = await admittedFor2();
      const changing = ask(() => change(admission, gate)).catch((error) => {
        expect(error).toMatchObject({ code: 'TOLLGATE_ADMISSION_SETTLED' });
      });
      // The step of the store is done after 10 turns of the microtask queue, and the settle comes before, with or after it.
      for (let turn = 0; turn < moment; turn++) {
        if (turn === 10) wire.run(0);
        await undefined;
      }
      const settling = ask(() => admission.settle({ usd: '$5' }));
      await drain();
      await Promise.all([changing, settling]);
      expect([moment, await used()]).toEqual([moment, 5 * DOLLAR]);
    }
  });

  type Act =
    | { readonly do: 'amend'; readonly user: string; readonly permits: number; readonly usd: number }
    | { readonly do: 'extend'; readonly usd: number }
    | { readonly do: 'end'; readonly outcome: Outcome; readonly provisional: boolean }
    | { readonly do: 'run'; readonly nth: number }
    | { readonly do: 'turns'; readonly turns: number };

  const amounts = fc.nat(9);
  const acts: fc.Arbitrary<Act> = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('amend'),
        user: fc.constantFrom('ann', 'ann', 'bob'),
        permits: amounts,
        usd: amounts,
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('extend'), usd: amounts }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('end'), outcome: outcomes, provisional: fc.boolean() }),
    },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('run'), nth: fc.nat(9) }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('turns'), turns: fc.integer({ min: 1, max: 12 }) }) },
  ) as fc.Arbitrary<Act>;

  it('comes to what it was changed to last, or to what that has used, where all overlaps and answers in any order', async () => {
    await check(
      fc.asyncProperty(fc.array(acts, { minLength: 2, maxLength: 30, size: 'max' }), async (history) => {
        const wire = scattered(memoryStore());
        const limits = [slidingWindow({ name: 'permits', by: 'user', limit: 1_000, window: '1h' })];
        const budgets = [budget({ name: 'dollars', by: 'user', limit: '$1000', per: 'day' })];
        const prices = { default: { input: '$1/M', output: '$1/M' } } as const;
        const gate = createTollgate({ clock: manualClock(), store: wire.store, limits, budgets, prices });
        /** What it stands for, and from its end on what it came to. */
        let stands = { user: 'ann', permits: 1, usd: 2 * DOLLAR };
        gate.on('admitted', ({ request, cost }) => {
          stands = { user: String(request.subject?.user), permits: cost.permits, usd: cost.usd };
        });
        const decision = await gate.admit({ subject: { user: 'ann' }, permits: 1, usd: '$2' });
        if (!decision.admitted) throw new Error(decision.refusal.detail);
        const { admission } = decision;
        let state: 'open' | 'provisional' | 'settled' = 'open';
        let due: { permits: number; usd: number } | undefined;
        const asked: Promise<unknown>[] = [];
        const ask = <T>(what: () => T): T => wire.within({ owner: admission, freeTakes: true }, what);

        function end(outcome: Outcome, provisional: boolean): void {
          if (state === 'open' || (state === 'provisional' && !provisional)) {
            state = provisional ? 'provisional' : 'settled';
            const isIgnored = outcome.outcome === 'ignored';
            const usd = outcome.usd === undefined ? stands.usd : dueOf(outcome);
            due = { permits: isIgnored ? 0 : stands.permits, usd: isIgnored ? 0 : usd };
          }
          asked.push(
            Promise.resolve(ask(() => (provisional ? admission.conclude(outcome) : admission.settle(outcome)))),
          );
        }

        function change(act: Act & { do: 'amend' | 'extend' }): void {
          const { usd } = act;
          const changing = ask(() =>
            act.do === 'extend'
              ? admission.extend({ usd: `$${usd}` })
              : gate.admit(
                  { subject: { user: act.user }, permits: act.permits, usd: `$${usd}` },
                  { extending: admission },
                ),
          );
          const refused = (error: unknown) => expect(error).toMatchObject({ code: 'TOLLGATE_ADMISSION_SETTLED' });
          asked.push(changing.then((decision) => expect(decision).toEqual({ admitted: true, admission }), refused));
        }

        for (const act of history) {
          if (act.do === 'run') wire.run(act.nth);
          else if (act.do === 'turns') for (let i = 0; i < act.turns; i++) await undefined;
          else if (act.do === 'end') end(act.outcome, act.provisional);
          else change(act);
        }
        for (let i = 0; i < 3; i++) {
          await new Promise(setImmediate);
          for (; wire.waiting() > 0; await new Promise(setImmediate)) wire.run(0);
        }
        await Promise.all(asked);

        const used = async (user: string) => {
          const { limits, budgets } = await gate.inspect({ user });
          return { permits: limits[0].used, usd: budgets[0].used };
        };
        const other = stands.user === 'ann' ? 'bob' : 'ann';
        const { permits, usd } = due ?? stands;
        expect([await used(stands.user), await used(other)]).toEqual([
          { permits, usd },
          { permits: 0, usd: 0 },
        ]);
      }),
      70,
    );
  });
});
