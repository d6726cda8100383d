/**
 * Limits that something else counts, beside a store: charged last, when all else is, and given back as far as they can
 * be. They are no part of the one step in which a store takes all or nothing: while one is asked, others may be refused for
 * what is then given back.
 */
import { type Bill, type Charge, type Key, keyIn, type Usage, type Who } from '../meters/meter.js';
import type { Outside } from '../meters/outside.js';
import type { Entry, NotTaken, Receipt, Store, Taken, TakeRequest } from './store.js';

/** A store that leaves to others what they count. */
export function withOutside(store: Store): Store {
  /** Requests that are charged alike share their bills, and then these. */
  const splits = new WeakMap<readonly Bill[], Split>();

  function split(bills: readonly Bill[]): Split {
    const known = splits.get(bills) ?? splitOf(bills);
    splits.set(bills, known);
    return known;
  }

  async function take(request: TakeRequest, now: number): Promise<Taken | NotTaken> {
    const { alternatives } = request;
    const inside = alternatives.map(({ name, who, bills }) => ({ name, who, bills: split(bills).inside }));
    const refused: (readonly Usage[])[] = [];
    for (let from = 0; from < alternatives.length; ) {
      const result = await store.take({ ...request, alternatives: inside.slice(from) }, now);
      if ('refused' in result) return { refused: [...refused, ...result.refused] };
      const taken = from + result.taken;
      const { who, bills } = alternatives[taken];
      const giveBack = () => store.settle(result.receipt, nothing(result.receipt), now);
      const outcome = await consumeAll(split(bills).outside, who, giveBack);
      if ('receipt' in outcome) return { ...together(result, outcome), taken };
      refused.push([outcome.refusal]);
      from = taken + 1;
    }
    return { refused };
  }

  return {
    ...store,
    take,
    async settle(entries, actual, now, goesOn) {
      const isOutside = entries.map(({ charge }) => charge.meter.outside !== undefined);
      const inside = entries.filter((_, i) => !isOutside[i]);
      const actualInside = actual.filter((_, i) => !isOutside[i]);
      if (inside.length > 0) await store.settle(inside, actualInside, now, goesOn);
      for (const [i, entry] of entries.entries()) if (isOutside[i]) await correct(entry, actual[i]);
    },
    async peek(who, bills, now) {
      const { inside, outside } = split(bills);
      const usages = [...(await store.peek(who, inside, now))];
      for (const charge of outside) usages.push(await look(charge, keyIn(charge.meter.scope, who)));
      return usages;
    },
  };
}

interface Split {
  readonly inside: readonly Bill[];
  readonly outside: readonly OutsideCharge[];
}

interface OutsideCharge extends Charge {
  readonly meter: Charge['meter'] & { readonly outside: Outside };
}

function splitOf(bills: readonly Bill[]): Split {
  const inside = bills.flatMap(({ scope, charges }): Bill[] => {
    const some = charges.filter((charge) => !isOutside(charge));
    return some.length > 0 ? [{ scope, charges: some }] : [];
  });
  return { inside, outside: bills.flatMap(({ charges }) => charges.filter(isOutside)) };
}

function isOutside(charge: Charge): charge is OutsideCharge {
  return charge.meter.outside !== undefined;
}

type Consumed = Pick<Taken, 'receipt' | 'shadowRefused'> & { readonly usages: readonly Usage[] };

/**
 * Charges all, one after the other, or nothing.
 *
 * @param giveBack what else is to be given back where it is nothing
 */
async function consumeAll(
  charges: readonly OutsideCharge[],
  who: Who,
  giveBack: () => unknown,
): Promise<Consumed | { refusal: Usage }> {
  const receipt: Entry[] = [];
  const shadowRefused: Usage[] = [];
  const usages: Usage[] = [];
  const undo = async () => {
    await giveBack();
    for (const entry of receipt) await correct(entry, 0).catch(() => {});
  };
  for (const charge of charges) {
    const { meter, cost, shadow } = charge;
    try {
      const { usage, isTaken } = await consume(charge, keyIn(meter.scope, who));
      usages.push(usage);
      if (isTaken) receipt.push({ charge, who, cost, place: 0, used: undefined });
      else if (shadow) shadowRefused.push(usage);
      else {
        await undo();
        return { refusal: usage };
      }
    } catch (error) {
      if (shadow || meter.outside.failsOpen) continue;
      await undo();
      throw error;
    }
  }
  return { receipt, shadowRefused, usages };
}

async function consume(charge: OutsideCharge, key: Key): Promise<{ usage: Usage; isTaken: boolean }> {
  const { meter, cost, limit } = charge;
  const { limiter } = meter.outside;
  if (cost === 0 || cost > limit) return { usage: await look(charge, key), isTaken: cost === 0 };
  try {
    const { consumedPoints = 0, msBeforeNext = 0 } = await limiter.consume(nameOf(key), cost);
    return { usage: { charge, key, used: consumedPoints, waitMs: 0, refillMs: msBeforeNext }, isTaken: true };
  } catch (thrown) {
    if (!isRefusal(thrown)) throw thrown;
    const { consumedPoints = 0, msBeforeNext } = thrown;
    // What is refused has been counted.
    await limiter.reward?.(nameOf(key), cost).catch(() => {});
    const used = Math.max(0, consumedPoints - cost);
    return { usage: { charge, key, used, waitMs: Math.max(1, msBeforeNext), refillMs: msBeforeNext }, isTaken: false };
  }
}

/** What a limiter has to say to a charge that is not made. */
async function look(charge: OutsideCharge, key: Key): Promise<Usage> {
  const { consumedPoints = 0, msBeforeNext = 0 } = (await charge.meter.outside.limiter.get?.(nameOf(key))) ?? {};
  const { cost, limit } = charge;
  const isFull = cost > 0 && consumedPoints + cost > limit;
  const waitMs = cost > limit ? Number.POSITIVE_INFINITY : isFull ? Math.max(1, msBeforeNext) : 0;
  return { charge, key, used: consumedPoints, waitMs, refillMs: consumedPoints > 0 ? msBeforeNext : 0 };
}

/** Puts `actual` in place of what an entry was charged. */
async function correct(entry: Entry, actual: number): Promise<void> {
  const { charge, who, cost } = entry;
  const { limiter } = (charge as OutsideCharge).meter.outside;
  const name = nameOf(keyIn(charge.meter.scope, who));
  if (actual < cost) await limiter.reward?.(name, cost - actual);
  if (actual > cost) await limiter.penalty?.(name, actual - cost);
  entry.cost = actual;
}

/** The name of a key: where there is one value, that itself, as it is in use without us. */
function nameOf(key: Key): string {
  return key.length === 1 ? (key[0] ?? '') : JSON.stringify(key);
}

/** What limiters reject with says when there is room again; an error doesn't. */
function isRefusal(thrown: unknown): thrown is { consumedPoints?: number; msBeforeNext: number } {
  return typeof (thrown as { msBeforeNext?: unknown } | undefined)?.msBeforeNext === 'number';
}

function together(inside: Taken, outside: Consumed): Taken {
  return {
    taken: inside.taken,
    receipt: [...inside.receipt, ...outside.receipt],
    shadowRefused: [...inside.shadowRefused, ...outside.shadowRefused],
    usages: inside.usages && [...inside.usages, ...outside.usages],
  };
}

function nothing(receipt: Receipt): number[] {
  return receipt.map(() => 0);
}
