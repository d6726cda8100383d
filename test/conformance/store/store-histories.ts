import type { Charge, Entry, Rule, Store, Usage } from '@tollgate/core';
import fc from 'fast-check';
import { check } from '../../helpers/oracle-log.js';
import { type Keyed, type Made, naiveStore } from '../../helpers/oracle-store.js';
import {
  alternativeOf,
  BUCKET,
  COARSE,
  calendar,
  charge,
  keyedOf,
  makeMeters,
  PAUSES,
  renew,
  SLOTS,
  START,
  WINDOW,
} from './charges.js';

/** The rules of the meters at a time: those of budgets are of its period. Headroom has an oracle of its own. */
const RULES: Record<Exclude<keyof ReturnType<typeof makeMeters>, 'headroom'>, (at: number) => Rule> = {
  window: () => WINDOW,
  bucket: () => BUCKET,
  coarse: () => COARSE,
  other: () => BUCKET,
  budget: calendar(1_500),
  longer: calendar(65_000),
  slots: () => SLOTS,
};

/** Random histories, compared with plain lists of charges. */
export async function agreesWithPlainLists(makeStore: () => Store | Promise<Store>): Promise<void> {
  const one = fc.record({
    meter: fc.constantFrom('window', 'bucket', 'coarse', 'other', 'budget', 'longer', 'slots'),
    cost: fc.nat(8),
    limit: fc.integer({ min: 5, max: 20 }),
    shadow: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.constant(true)),
  });
  const charges = fc.uniqueArray(one, { selector: ({ meter }) => meter, minLength: 1, maxLength: 7 });
  const alternative = fc.record({
    user: fc.constantFrom('ann', 'bob'),
    feature: fc.constantFrom('x', 'y'),
    charges,
  });
  const command = fc.record({
    ms: PAUSES,
    alternatives: fc.array(alternative, { minLength: 1, maxLength: 3 }),
    settle: fc.option(fc.tuple(fc.nat(20), fc.array(fc.nat(12), { minLength: 4, maxLength: 4 })), { freq: 2 }),
  });
  await check(
    fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 40 }), async (commands) => {
      const real = await makeStore();
      const naive = naiveStore();
      const meters = makeMeters();
      const open: { entry: Entry; made: Made; raised: boolean }[] = [];
      let [clock, now] = [START, 0];
      for (const { ms, alternatives, settle } of commands) {
        clock += ms;
        now = Math.max(now, clock);
        if (settle && open.length > 0) {
          const from = settle[0] % open.length;
          const some = open.slice(from, from + 4);
          // Once raised, no lower: what is given back of overage has its own tests.
          const actual = some.map(({ entry, raised }, i) =>
            raised ? Math.max(entry.cost, settle[1][i]) : settle[1][i],
          );
          const wanted = some.map((one, i) => {
            const { entry, made } = one;
            if (actual[i] > entry.cost) one.raised = true;
            renew(entry, ruleAt(entry.charge, now));
            const renewed = { ...made, charge: entry.charge };
            const booked = naive.settle(renewed, entry.cost, actual[i], now);
            return { booked, counted: naive.used(renewed, now) };
          });
          const entries = some.map(({ entry }) => entry);
          await real.settle(entries, actual, clock);
          expect(entries.map((entry) => [entry.cost, entry.used])).toEqual(
            wanted.map(({ booked, counted }, i) => [
              booked,
              entries[i].charge.meter.unit === 'usd' ? counted : undefined,
            ]),
          );
        }
        const asked = alternatives.map(({ user, feature, charges }) => {
          const keys = new Map([
            [meters.window.scope, [user]],
            [meters.coarse.scope, [user, feature]],
          ]);
          const sorted = [...charges].sort((a, b) => meters[a.meter].scope.by.length - meters[b.meter].scope.by.length);
          return sorted.map(({ meter, cost, limit, shadow }) =>
            charge(meters[meter], RULES[meter](now), keys.get(meters[meter].scope) ?? [], cost, limit, shadow),
          );
        });
        const wanted = naive.take(asked, now);
        const got = await real.take({ alternatives: asked.map((all, i) => alternativeOf(all, `${i}`)) }, clock);
        if ('refused' in got) {
          expect(wanted).toBeUndefined();
          expect(got.refused.map((usages) => usages.map(keyed))).toEqual(asked);
          for (const usage of got.refused.flat()) judge(usage);
        } else {
          expect(wanted?.taken).toBe(got.taken);
          expect(got.shadowRefused.map(keyed)).toEqual(wanted?.skipped);
          expect(got.receipt.map((entry) => [keyedOf(entry), entry.cost])).toEqual(
            wanted?.made.map((made) => [keyed(made), made.charge.cost]),
          );
          expect(got.receipt.map(({ used }) => used)).toEqual(
            wanted?.made.map((made) => (made.charge.meter.unit === 'usd' ? naive.used(made, now) : undefined)),
          );
          got.receipt.forEach((entry, i) => {
            if (wanted) open.push({ entry, made: wanted.made[i], raised: false });
          });
        }
        const peeked = asked.map((all) => {
          const { who, bills } = alternativeOf(all);
          return real.peek(who, bills, clock);
        });
        for (const [i, usages] of (await Promise.all(peeked)).entries()) {
          expect(usages.map(keyed)).toEqual(asked[i]);
          for (const usage of usages) judge(usage);
        }
      }
      await real.close();

      /** Exact: it fits then, and not a millisecond before; of a bucket, as far as nothing is held. */
      function judge(usage: Usage) {
        const { charge, used, waitMs, refillMs } = usage;
        expect(used).toBe(naive.used(usage, now));
        expect(refillMs === 0).toBe(used === 0);
        if (charge.cost > charge.limit) expect(waitMs).toBe(Number.POSITIVE_INFINITY);
        else {
          expect(waitMs === 0).toBe(naive.fits(usage, now));
          if (waitMs === 0 || naive.held(usage, now) + charge.cost > charge.limit) return;
          expect(fitsAt(usage, now + waitMs)).toBe(true);
          expect(fitsAt(usage, now + waitMs - 1)).toBe(false);
        }
      }

      function fitsAt({ charge, key }: Keyed, at: number): boolean {
        return naive.fits({ charge: { ...charge, rule: ruleAt(charge, at) }, key }, at);
      }
    }),
    300,
  );
}

function ruleAt({ meter }: Charge, at: number): Rule {
  return RULES[meter.name as keyof typeof RULES](at);
}

function keyed({ charge, key }: Keyed): Keyed {
  return { charge, key };
}
