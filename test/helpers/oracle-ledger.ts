/** Budgets kept as an accountant would: whole nano-dollars, exact prices, and a sum for each period. */
import type { Dimension, TokenCounts } from '@tollgate/core';

/** A budget whose zone's clocks never change. Amounts are nano-dollars. */
export interface Terms {
  readonly name: string;
  readonly by: readonly Dimension[];
  readonly per: 'hour' | 'day' | 'week';
  readonly timeZone: 'UTC' | 'Asia/Kolkata';
  readonly reserve: 'likely' | 'worst';
  /** Of each rung but the last, the hundredths of the limit that it may use. */
  readonly percents: readonly number[];
  readonly limit: (who: Who) => bigint;
}

export type Who = Readonly<Partial<Record<Dimension, string>>>;

/** Nano-dollars for a million tokens. */
export type Price = Readonly<Record<'input' | 'cachedInput' | 'cacheWrite' | 'output' | 'reasoning', bigint>>;

/** What somebody wants to be admitted for. */
export interface Want {
  readonly who: Who;
  /** Of the ladder's indices, the cheapest that will do. */
  readonly floor?: number | undefined;
  readonly tokens: TokenCounts;
  readonly mostOutput: number;
  /** Nano-dollars, where they are given. */
  readonly usd?: bigint | undefined;
}

/** What was spent on a budget for one key. */
interface Account {
  readonly terms: Terms;
  readonly spent: Map<number, bigint>;
  /** The latest period that anything was booked or corrected in: time never goes back. */
  newest: number;
}

interface Charge {
  readonly account: Account;
  readonly cost: bigint;
  readonly limit: bigint;
}

export interface Offer {
  readonly model: string;
  readonly tokens: TokenCounts;
  readonly charges: readonly Charge[];
}

/** What was charged to an account, and what is booked of it now. */
export interface Lot {
  readonly account: Account;
  period: number;
  charged: bigint;
  booked: bigint;
}

const HOUR = 3_600_000;
const LENGTH = { hour: HOUR, day: 24 * HOUR, week: 168 * HOUR };
/** The epoch was on a Thursday; weeks begin on Monday. */
const SHIFT = { hour: 0, day: 0, week: -96 * HOUR };
const OFFSET = { UTC: 0, 'Asia/Kolkata': 5.5 * HOUR };

/** Rounded up to a whole nano-dollar, once. */
export function priceOf(price: Price, tokens: TokenCounts): bigint {
  const counts = [tokens.cachedInputTokens, tokens.cacheWriteTokens, tokens.reasoningTokens];
  const [cached, write, reasoning] = counts.map((count = 0) => BigInt(count));
  const input = BigInt(tokens.inputTokens ?? 0) - cached - write;
  const output = BigInt(tokens.outputTokens ?? 0) - reasoning;
  const millionths =
    input * price.input +
    cached * price.cachedInput +
    write * price.cacheWrite +
    output * price.output +
    reasoning * price.reasoning;
  return (millionths + 999_999n) / 1_000_000n;
}

/** @param priceAt what a model costs at a time */
export function createLedger(
  budgets: readonly Terms[],
  ladder: readonly string[],
  priceAt: (model: string, now: number) => Price,
) {
  const accounts = new Map<string, Account>();

  function accountOf(terms: Terms, who: Who): Account {
    const id = JSON.stringify([terms.name, ...terms.by.map((dimension) => who[dimension])]);
    const account = accounts.get(id) ?? { terms, spent: new Map(), newest: Number.NEGATIVE_INFINITY };
    accounts.set(id, account);
    return account;
  }

  /** @param rung where the model is not the last one that may serve, its index in the ladder */
  function offerOf(want: Want, model: string, now: number, rung?: number): Offer {
    const dollars = (outputTokens: number | undefined) =>
      want.usd ?? priceOf(priceAt(model, now), { ...want.tokens, outputTokens });
    const who = { ...want.who, model };
    const charges = budgets.map((terms) => {
      const share = BigInt((rung === undefined ? undefined : terms.percents[rung]) ?? 100);
      return {
        account: accountOf(terms, who),
        cost: dollars(terms.reserve === 'worst' ? want.mostOutput : want.tokens.outputTokens),
        limit: (terms.limit(who) * share) / 100n,
      };
    });
    return { model, tokens: want.tokens, charges };
  }

  return {
    /** The ways to serve a request, best first. */
    offers(want: Want, now: number): Offer[] {
      const { model = '' } = want.who;
      const first = ladder.indexOf(model);
      if (first < 0) return [offerOf(want, model, now)];
      const last = Math.max(first, want.floor ?? ladder.length - 1);
      const models = ladder.slice(first, last + 1);
      return models.map((name, i) => offerOf(want, name, now, first + i === last ? undefined : first + i));
    },
    /** More by the same model. What costs nothing is not asked for. */
    more(want: Want, model: string, now: number): Offer {
      const offer = offerOf(want, model, now);
      return { ...offer, charges: offer.charges.filter(({ cost }) => cost > 0n) };
    },
    /** Books the first offer of which everything fits, or nothing. */
    take(offers: readonly Offer[], now: number): { readonly taken: number; readonly lots: Lot[] } {
      const taken = offers.findIndex(({ charges }) =>
        charges.every(({ account, cost, limit }) => cost === 0n || spentOn(account, now) + cost <= limit),
      );
      const lots = (offers[taken]?.charges ?? []).map(({ account, cost }) => {
        const period = present(account, now);
        account.spent.set(period, spentOn(account, now) + cost);
        return { account, period, charged: cost, booked: cost };
      });
      return { taken, lots };
    },
    spent: (terms: Terms, who: Who, now: number) => spentOn(accountOf(terms, who), now),
  };
}

export type Ledger = ReturnType<typeof createLedger>;

function present(account: Account, now: number): number {
  const { per, timeZone } = account.terms;
  const period = Math.floor((now + OFFSET[timeZone] + SHIFT[per]) / LENGTH[per]);
  account.newest = Math.max(account.newest, period);
  return account.newest;
}

function spentOn(account: Account, now: number): bigint {
  const before = account.newest;
  const spent = account.spent.get(present(account, now)) ?? 0n;
  account.newest = before;
  return spent;
}

/**
 * Makes lots come to what is due. That corrects the period that was charged, if it is the present one or the one before;
 * of an older one nothing is given back, which stays booked, and what is above that falls on the present.
 */
export function correct(lots: readonly Lot[], due: readonly bigint[], now: number): void {
  for (const [i, lot] of lots.entries()) {
    const { account, period, booked } = lot;
    const current = present(account, now);
    const isKnown = current - period <= 1;
    const into = isKnown ? period : current;
    const change = isKnown || due[i] > booked ? due[i] - booked : 0n;
    account.spent.set(into, (account.spent.get(into) ?? 0n) + change);
    if (booked === 0n) lot.period = into;
    lot.booked += change;
  }
}

/**
 * Of each lot what an actual total makes due: the earlier of a budget are filled first, the last takes the rest. They are of
 * one key, but where an admission was settled while it was moved to another.
 */
export function dueOf(lots: readonly Lot[], total: bigint): bigint[] {
  return lots.map(({ account: { terms }, charged }, i) => {
    const before = lots.slice(0, i).filter((lot) => lot.account.terms === terms);
    const left = max(0n, total - sum(before.map((lot) => lot.charged)));
    return lots.slice(i + 1).some((lot) => lot.account.terms === terms) ? min(left, charged) : left;
  });
}

/** From lots to another offer: what is lacking, and what is due of each lot where it is taken. */
export function changeTo(lots: readonly Lot[], offer: Offer) {
  const bookedOn = (account: Account, some: readonly Lot[]) => some.filter((lot) => lot.account === account);
  const total = (some: readonly Lot[]) => sum(some.map(({ booked }) => booked));
  const charges = offer.charges.flatMap((charge) => {
    const there = bookedOn(charge.account, lots);
    const cost = charge.cost - total(there);
    return there.length > 0 && cost <= 0n ? [] : [{ ...charge, cost }];
  });
  const due = lots.map(({ account, booked }, i) => {
    const wanted = offer.charges.find((charge) => charge.account === account)?.cost ?? 0n;
    return min(booked, max(0n, wanted - total(bookedOn(account, lots.slice(0, i)))));
  });
  return { offer, lacking: { ...offer, charges }, due, given: due.some((amount, i) => amount !== lots[i].booked) };
}

function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((total, amount) => total + amount, 0n);
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
