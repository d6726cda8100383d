/**
 * G4 of the calls that are made under one admission: what they hold is charged before they are made, one that finds no room
 * takes nothing, and in the end the books say what they did cost, to the nano-dollar. And G5 on the way: each counts once.
 */
import {
  type Admission,
  budget,
  createTollgate,
  type Draw,
  type Drawn,
  memoryStore,
  slidingWindow,
} from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import fc from 'fast-check';
import { check } from '../helpers/oracle-log.js';
import { scattered } from '../helpers/scattered-store.js';

/** Nano-dollars a token, of the prompt and of the answer. */
const RATES: Record<string, readonly [number, number]> = { dear: [15_000, 75_000], cheap: [999, 4_001] };
const prices = {
  dear: { input: '$15/M', output: '$75/M' },
  cheap: { input: '$0.999/M', output: '$4.001/M' },
} as const;

const tokens = fc.record({ inputTokens: fc.nat(400), outputTokens: fc.nat(400) });
type Tokens = { readonly inputTokens: number; readonly outputTokens: number };
const calls = fc.record({ estimate: tokens, model: fc.constantFrom('dear', 'cheap'), usage: fc.option(tokens) });
type Call = { readonly estimate: Tokens; readonly model: string; readonly usage: Tokens | null };

/** What is counted: tokens, and nano-dollars. */
type Amount = readonly [number, number];
const amountOf = ({ inputTokens, outputTokens }: Tokens, model: string): Amount => {
  const [input, output] = RATES[model];
  return [inputTokens + outputTokens, inputTokens * input + outputTokens * output];
};
const plus = (a: Amount, b: Amount): Amount => [a[0] + b[0], a[1] + b[1]];
const sum = (amounts: readonly Amount[]): Amount => amounts.reduce(plus, [0, 0]);
const mostOf = (a: Amount, b: Amount): Amount => [Math.max(a[0], b[0]), Math.max(a[1], b[1])];
const fitsIn = (a: Amount, room: Amount) => a[0] <= room[0] && a[1] <= room[1];

/** An admission of `dear` for so many tokens, by a budget and a limit of these sizes. */
async function open(estimate: Tokens, [tpm, usd]: Amount) {
  const wire = scattered(memoryStore());
  const gate = createTollgate({
    clock: manualClock(),
    store: wire.store,
    limits: [slidingWindow({ name: 'tpm', unit: 'tokens', limit: tpm, window: '1h' })],
    budgets: [budget({ name: 'usd', limit: `$${(usd / 1e9).toFixed(9)}` as '$1', per: 'day' })],
    prices,
  });
  const decision = await gate.admit({ permits: 1, model: 'dear', estimate });
  const charged = async (): Promise<Amount> => {
    const { limits, budgets } = await gate.inspect({});
    return [limits[0].used, budgets[0].used];
  };
  return { wire, admission: decision.admitted ? decision.admission : undefined, charged };
}

/** The admission and its calls as an accountant has them, for calls one after the other. */
function account(held: Amount, size: Amount) {
  const lots: { amount: Amount }[] = [];
  const taken = () => sum(lots.map(({ amount }) => amount));
  return {
    held: () => held,
    taken,
    /** The call's lot, or none where it finds no room. */
    draw({ estimate, model }: Call) {
      const lot = { amount: amountOf(estimate, model) };
      const needed = plus(taken(), lot.amount);
      const extended = mostOf(held, needed);
      // Where a meter has nothing to add, it is not asked: what an earlier call has overrun is not this one's to pay.
      const grows = extended.map((one, i) => one > held[i]);
      if (extended.some((one, i) => grows[i] && one > size[i])) return undefined;
      held = extended;
      lots.push(lot);
      return lot;
    },
    settle(lot: { amount: Amount }, { usage, model }: Call) {
      if (usage !== null) lot.amount = amountOf(usage, model);
    },
  };
}

const sizes = fc.tuple(fc.integer({ min: 800, max: 6_000 }), fc.integer({ min: 24_000_000, max: 300_000_000 }));
const steps = fc.array(fc.record({ call: calls, settles: fc.nat(5), twice: fc.boolean() }), {
  maxLength: 40,
  size: 'max',
});

describe('G4 draws', () => {
  it('charge what the calls need that are open, beside what the others did use, and in the end the latter alone', async () => {
    await check(
      fc.asyncProperty(tokens, sizes, steps, async (estimate, size, steps) => {
        const { admission, charged } = await open(estimate, size);
        if (admission === undefined) return expect(fitsIn(amountOf(estimate, 'dear'), size)).toBe(false);
        const books = account(amountOf(estimate, 'dear'), size);
        const opened: { draw: Draw; call: Call; lot: { amount: Amount } }[] = [];
        let made = 0;
        const settle = (nth: number, twice: boolean) => {
          const [one] = opened.splice(nth % opened.length, 1);
          for (let i = 0; i < (twice ? 2 : 1); i++) one.draw.settle({ usage: one.call.usage ?? undefined });
          books.settle(one.lot, one.call);
        };
        for (const { call, settles, twice } of steps) {
          const drawn = await admission.draw({ ...call.estimate, model: call.model });
          const lot = books.draw(call);
          expect(drawn.admitted).toBe(lot !== undefined);
          if (drawn.admitted && lot) opened.push({ draw: drawn.draw, call, lot });
          if (drawn.admitted) made++;
          expect(await charged()).toEqual(books.held());
          if (settles > 1 && opened.length > 0) settle(settles, twice);
          expect(await charged()).toEqual(books.held());
        }
        await admission.conclude();
        while (opened.length > 0) settle(1, false);
        expect(await charged()).toEqual(made > 0 ? books.taken() : books.held());
      }),
      40,
    );
  });

  it('that are asked for all at once never hold more than is charged, nor is anything left of what was refused', async () => {
    const many = fc.array(calls, { minLength: 1, maxLength: 30, size: 'max' });
    await check(
      fc.asyncProperty(
        tokens,
        sizes,
        many,
        fc.array(fc.nat(20), { minLength: 1 }),
        async (estimate, size, calls, order) => {
          const { admission, charged, wire } = await open(estimate, size);
          if (admission === undefined) return;
          const asked = calls.map((call) => ({ call, drawn: undefined as Drawn | undefined }));
          const owner = {};
          const all = wire.within({ owner, freeTakes: true }, () =>
            Promise.all(asked.map((one) => draw(admission, one))),
          );
          for (let i = 0; wire.waiting() > 0 || asked.some(({ drawn }) => drawn === undefined); i++) {
            wire.run(order[i % order.length]);
            for (let turns = 0; turns < 10; turns++) await undefined;
            const open = asked
              .filter(({ drawn }) => drawn?.admitted)
              .map(({ call }) => amountOf(call.estimate, call.model));
            const now = await charged();
            expect(fitsIn(sum(open), now) && fitsIn(now, size)).toBe(true);
          }
          await all;
          const made = asked.filter(({ drawn }) => drawn?.admitted);
          const held = sum(made.map(({ call }) => amountOf(call.estimate, call.model)));
          // Nothing was charged for those that were refused.
          expect(await charged()).toEqual(mostOf(amountOf(estimate, 'dear'), held));
          for (const { call, drawn } of made)
            if (drawn?.admitted) drawn.draw.settle({ usage: call.usage ?? undefined });
          await admission.settle();
          const used = made.map(({ call: { usage, estimate, model } }) => amountOf(usage ?? estimate, model));
          expect(await charged()).toEqual(made.length > 0 ? sum(used) : amountOf(estimate, 'dear'));
        },
      ),
      40,
    );
  });

  it('refuse an agent the fortieth call where its budget ends, and charge nothing of it', async () => {
    const call = { inputTokens: 100, outputTokens: 0 };
    const { admission, charged } = await open(call, [1e9, 39.5 * 100 * 15_000]);
    if (admission === undefined) throw new Error('refused');
    const statuses: unknown[] = [];
    for (let i = 0; i < 50; i++) {
      const drawn = await admission.draw(call);
      if (drawn.admitted) drawn.draw.settle({ usage: call });
      statuses.push(drawn.admitted ? 200 : drawn.refusal.status);
    }
    expect(statuses).toEqual([...Array(39).fill(200), ...Array(11).fill(402)]);
    expect(await charged()).toEqual([3900, 3900 * 15_000]);
    await admission.conclude();
    expect(await charged()).toEqual([3900, 3900 * 15_000]);
  });
});

async function draw(admission: Admission, one: { readonly call: Call; drawn: Drawn | undefined }): Promise<void> {
  one.drawn = await admission.draw({ ...one.call.estimate, model: one.call.model });
}
