/**
 * Limits that something else counts, beside a store: charged last, when all else is, and given back as far as they can
 * be. They are no part of the one step in which a store takes all or nothing: while one is asked, others may be refused for
 * what is then given back.
 */
import type { Bill, Usage, Who } from '../meters/meter.js';
import type { May } from '../request.js';
import { ask, consume, correct, isOutside, type OutsideCharge, type Tell } from './limiters.js';
import type { Alternative, Entry, NotTaken, Receipt, Store, Taken, TakeRequest } from './store.js';

/** What is done about failures. */
interface Books {
  /** Tells what others fail with. */
  failed(error: unknown): void;
  /** Gives back what was charged for nothing, if need be as soon as the store answers again; who waits for it is told. */
  giveBack(receipt: Receipt): May<void>;
}

/**
 * A store that leaves to others what they count. Where one of them fails, the store has not: what its limit says of that
 * holds for it alone.
 *
 * @param books those that are kept by this store
 */
export function withOutside(store: Store, books: () => Books): Store {
  const tell: Tell = (error) => books().failed(error);
  /** Requests that are charged alike share their bills, and then these. */
  const splits = new WeakMap<readonly Bill[], Split>();

  function split(bills: readonly Bill[]): Split {
    const known = splits.get(bills) ?? splitOf(bills);
    splits.set(bills, known);
    return known;
  }

  async function take({ alternatives, tells = false, score }: TakeRequest, now: number): Promise<Taken | NotTaken> {
    /** By others, for each alternative. */
    const refusals: (Usage | undefined)[] = alternatives.map(() => undefined);
    for (;;) {
      const open = [...alternatives.keys()].filter((i) => refusals[i] === undefined);
      if (open.length === 0) return { refused: await tellAll(alternatives, refusals, [], now) };
      const result = await store.take({ alternatives: open.map((i) => inside(alternatives[i])), tells, score }, now);
      if ('refused' in result) {
        const told: (readonly Usage[])[] = [];
        for (const [at, i] of open.entries()) told[i] = result.refused[at];
        return { refused: await tellAll(alternatives, refusals, told, now) };
      }
      const taken = open[result.taken];
      const { who, bills } = alternatives[taken];
      const { refusal, ...outside } = await consumeAll(split(bills).outside, who, now, tell);
      if (refusal === undefined) return { ...together(result, outside), taken };
      await books().giveBack([...result.receipt, ...outside.receipt]);
      refusals[taken] = refusal;
    }
  }

  function inside({ name, who, bills }: Alternative): Alternative {
    return { name, who, bills: split(bills).inside };
  }

  /**
   * What all meters of each alternative say.
   *
   * @param told by the store, where it has refused
   */
  function tellAll(
    alternatives: readonly Alternative[],
    refusals: readonly (Usage | undefined)[],
    told: readonly (readonly Usage[])[],
    now: number,
  ): Promise<Usage[][]> {
    return Promise.all(alternatives.map(({ who, bills }, i) => peek(who, bills, now, told[i], refusals[i])));
  }

  async function peek(
    who: Who,
    bills: readonly Bill[],
    now: number,
    told?: readonly Usage[],
    refusal?: Usage,
  ): Promise<Usage[]> {
    const { inside, outside } = split(bills);
    const usages = [...(told ?? (await store.peek(who, inside, now)))];
    for (const charge of outside) {
      const usage = charge === refusal?.charge ? refusal : await ask(charge, who, tell);
      if (usage !== undefined) usages.push(usage);
    }
    return usages;
  }

  return {
    ...(store.observe && { observe: store.observe.bind(store) }),
    take,
    async settle(entries, actual, now, goesOn) {
      const isInside = entries.map(({ charge }) => !isOutside(charge));
      const inside = entries.filter((_, i) => isInside[i]);
      const actualInside = actual.filter((_, i) => isInside[i]);
      // Whether the store fails or not.
      const outside = entries.flatMap((entry, i) => (isInside[i] ? [] : [correct(entry, actual[i], now, tell)]));
      if (inside.length > 0) await store.settle(inside, actualInside, now, goesOn);
      await Promise.all(outside);
    },
    peek: (who, bills, now) => peek(who, bills, now),
    takeLeased: store.takeLeased,
    check: (meters) => store.check?.(meters.filter(({ outside }) => outside === undefined)),
    shared: store.shared,
    line: store.line,
    records: store.records,
    close: () => store.close(),
  };
}

interface Split {
  readonly inside: readonly Bill[];
  readonly outside: readonly OutsideCharge[];
}

function splitOf(bills: readonly Bill[]): Split {
  const inside = bills.flatMap(({ scope, charges }): Bill[] => {
    const some = charges.filter((charge) => !isOutside(charge));
    return some.length > 0 ? [{ scope, charges: some }] : [];
  });
  return { inside, outside: bills.flatMap(({ charges }) => charges.filter(isOutside)) };
}

interface Consumed {
  readonly receipt: Receipt;
  readonly shadowRefused: readonly Usage[];
  readonly usages: readonly Usage[];
  /** What refuses: what was charged before it is to be given back. */
  readonly refusal: Usage | undefined;
}

/** Charges one after the other, as long as none refuses. */
async function consumeAll(charges: readonly OutsideCharge[], who: Who, now: number, tell: Tell): Promise<Consumed> {
  const receipt: Entry[] = [];
  const shadowRefused: Usage[] = [];
  const usages: Usage[] = [];
  for (const charge of charges) {
    const { entry, usage } = await consume(charge, who, now, tell);
    if (usage !== undefined) usages.push(usage);
    if (entry !== undefined) receipt.push(entry);
    else if (usage !== undefined && !charge.shadow) return { receipt, shadowRefused, usages, refusal: usage };
    else if (usage !== undefined) shadowRefused.push(usage);
  }
  return { receipt, shadowRefused, usages, refusal: undefined };
}

function together(inside: Taken, outside: Omit<Consumed, 'refusal'>): Omit<Taken, 'taken'> {
  return {
    receipt: [...inside.receipt, ...outside.receipt],
    shadowRefused: [...inside.shadowRefused, ...outside.shadowRefused],
    usages: inside.usages && [...inside.usages, ...outside.usages],
  };
}
