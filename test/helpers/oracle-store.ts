/** A store as plain lists of what was charged when: no rows, no rings, no records to forget. */
import type { Charge, Key, Rule } from '@tollgate/core';

/** Holds are kept by generations of this length, the current one and the one before. */
const GENERATION_MS = 15 * 60_000;

interface Item {
  cost: number;
  time: number;
  /** Of a budget. */
  period: number;
}

interface Account {
  /** Everything that was ever charged to a window, a budget or slots, or is held in a bucket. */
  items: Item[];
  missing: number;
  time: number;
  perMs: number;
  /** The latest that a budget has met. */
  period: number;
}

/** A charge with the key that it is for. */
export interface Keyed {
  readonly charge: Charge;
  readonly key: Key;
}

/** One charge that was made, to be settled. */
export interface Made extends Keyed {
  readonly item: Item;
}

function generation(time: number): number {
  return Math.floor(time / GENERATION_MS);
}

function sum(items: readonly Item[]): number {
  return items.reduce((total, { cost }) => total + cost, 0);
}

/** A lease counts through the generation in which it began, and the next. */
function isLeased({ time }: Item, { leaseMs }: Extract<Rule, { kind: 'slots' }>, now: number): boolean {
  return Math.floor(now / leaseMs) - Math.floor(time / leaseMs) <= 1;
}

function countedFrom(rule: Extract<Rule, { kind: 'window' }>, now: number): number {
  return (Math.floor(now / rule.partMs) - rule.parts) * rule.partMs;
}

export function naiveStore() {
  const accounts = new Map<string, Account>();

  function accountOf({ charge, key }: Keyed): Account {
    const id = JSON.stringify([charge.meter.name, ...key.map((value) => value ?? null)]);
    const known = accounts.get(id) ?? { items: [], missing: 0, time: 0, perMs: 0, period: 0 };
    accounts.set(id, known);
    return known;
  }

  /** The bucket as it would be at `now`. */
  function refilled({ items, missing, time, perMs, period }: Account, now: number, rate: number): Account {
    const items2 = items.filter((item) => generation(now) - generation(item.time) <= 1);
    const left = missing - Math.max(rate, perMs) * Math.max(0, now - time);
    return { items: items2, missing: Math.max(left, sum(items2)), time: Math.max(now, time), perMs, period };
  }

  function used(keyed: Keyed, now: number): number {
    const account = accountOf(keyed);
    const { rule } = keyed.charge;
    if (rule.kind === 'bucket') return refilled(account, now, rule.perMs).missing;
    if (rule.kind === 'calendar') {
      const latest = Math.max(account.period, rule.period);
      return sum(account.items.filter(({ period }) => period === latest));
    }
    if (rule.kind === 'slots') return sum(account.items.filter((item) => isLeased(item, rule, now)));
    if (rule.kind === 'headroom') throw new Error('headroom has an oracle of its own');
    return sum(account.items.filter(({ time }) => time >= countedFrom(rule, now)));
  }

  function fits(keyed: Keyed, now: number): boolean {
    const { rule, cost, limit } = keyed.charge;
    // What costs no money needs no room.
    if (rule.kind === 'calendar' && cost === 0) return true;
    return used(keyed, now) + cost <= limit;
  }

  function make(keyed: Keyed, now: number): Made {
    const account = accountOf(keyed);
    const { rule, cost } = keyed.charge;
    if (rule.kind === 'calendar') account.period = Math.max(account.period, rule.period);
    const item = { cost, time: now, period: account.period };
    if (rule.kind === 'bucket') {
      Object.assign(account, refilled(account, now, rule.perMs), { perMs: rule.perMs });
      account.missing += cost;
    }
    account.items.push(item);
    return { ...keyed, item };
  }

  /** `before` is what is booked until now. Returns what is booked then. */
  function settle(made: Made, before: number, actual: number, now: number): number {
    const account = accountOf(made);
    const { charge, item } = made;
    const above = (period: number) => account.items.push({ cost: actual - before, time: now, period });
    if (charge.rule.kind === 'slots') {
      if (!isLeased(item, charge.rule, now)) return before;
      if (actual > before) item.time = now;
      item.cost = actual;
      return actual;
    }
    if (charge.rule.kind === 'window') {
      if (actual > before) above(0);
      else if (item.time < countedFrom(charge.rule, now)) return before;
      else item.cost -= before - actual;
      return actual;
    }
    if (charge.rule.kind === 'calendar') {
      account.period = Math.max(account.period, charge.rule.period);
      const { period } = account;
      // What had come to nothing is charged as a whole, and from then on belongs where it is charged.
      if (period - item.period > 1 && before === 0) Object.assign(item, { cost: 0, period });
      if (period - item.period <= 1) item.cost += actual - before;
      else if (actual > before) above(period);
      else return before;
      return actual;
    }
    Object.assign(account, refilled(account, now, 0));
    const held = account.items.includes(item);
    account.items = account.items.filter((one) => one !== item);
    if (actual < before && !held) return before;
    account.missing += actual - before;
    return actual;
  }

  return {
    used,
    fits,
    /** What is held of a bucket, and so is not refilled by waiting. */
    held: (keyed: Keyed, now: number) =>
      keyed.charge.rule.kind === 'bucket' ? sum(refilled(accountOf(keyed), now, 0).items) : 0,
    settle,
    /** The first alternative that fits, with what was charged and which shadow charges were not. */
    take(alternatives: readonly (readonly Keyed[])[], now: number) {
      const taken = alternatives.findIndex((all) => all.every((one) => one.charge.shadow || fits(one, now)));
      if (taken < 0) return undefined;
      const [made, skipped]: [Made[], Keyed[]] = [[], []];
      for (const keyed of alternatives[taken]) {
        if (fits(keyed, now)) made.push(make(keyed, now));
        else skipped.push(keyed);
      }
      return { taken, made, skipped };
    },
  };
}
