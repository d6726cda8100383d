/**
 * A store in many shards, each with a slot of a cluster for itself. What counts by the dimension that it is sharded by is
 * in the shard of its value, and is charged there in one step. What doesn't is shared: it is charged first, mostly from a
 * lease (`leases.ts`), and given back where the shard refuses. So an admission is charged all or nothing here too, but what
 * is under way may refuse another that would have had room a moment later.
 */
import { configError, type Problem } from '../../errors.js';
import type { Bill, Meter, Scope, Usage, Who } from '../../meters/meter.js';
import type { Dimension, May } from '../../request.js';
import { denyCache } from '../deny-cache.js';
import type { Alternative, NotTaken, Receipt, Store, Taken, TakeRequest } from '../store.js';
import { recordName, scopeName } from './keys.js';
import { createLeases, isEntry, type SharedEntry } from './leases.js';

interface Sharding {
  readonly shardBy: Dimension;
  /** Names of limits that all shards share. */
  readonly shared: readonly string[];
  readonly isTimeGiven: boolean;
  /** Before what could not be done is tried once more. */
  readonly later: () => Promise<void>;
}

/** Never another number: who is where follows from it. */
const SHARDS = 64;

/**
 * @param open a shard by its number
 * @param base what keeps records, and by what processes tell each other what they have to tell
 */
export function shardedStore(open: (shard: number) => Store, base: Store, sharding: Sharding): Store {
  const { shardBy, shared, isTimeGiven, later } = sharding;
  const stores = new Map<number, Store>();
  let latest = 0;
  const leases = createLeases(({ meter }, who) => storeOf(meter.scope, who), isTimeGiven, later);

  function storeOf(scope: Scope, who: Who): Store {
    const number = hash(isShared(scope) ? recordName(scopeName(scope), scope, who) : shardValue(scope, who)) % SHARDS;
    const store = stores.get(number) ?? open(number);
    stores.set(number, store);
    return store;
  }

  function isShared({ by }: Scope): boolean {
    return !by.includes(shardBy);
  }

  function shardValue({ by, at }: Scope, who: Who): string {
    return who[at[by.indexOf(shardBy)]] ?? '';
  }

  async function take(request: TakeRequest, now: number): Promise<Taken | NotTaken> {
    const { alternatives } = request;
    const refused: (readonly Usage[])[] = [];
    for (let taken = 0; taken < alternatives.length; taken++) {
      const result = await takeOne(request, alternatives[taken], now);
      if ('receipt' in result) return { ...result, taken };
      refused.push(result.refused[0]);
    }
    return { refused };
  }

  /** Charges what is shared, then its shard; or gives back what was charged before something refused, or failed. */
  async function takeOne(request: TakeRequest, way: Alternative, now: number): Promise<Taken | NotTaken> {
    const { who, bills } = way;
    const own = { ...way, bills: bills.filter(({ scope }) => !isShared(scope)) };
    const charges = bills.filter(({ scope }) => isShared(scope)).flatMap(({ charges }) => charges);
    const results = await Promise.allSettled(charges.map(async (charge) => leases.acquire(charge, who, now)));
    const answers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const entries = answers.filter(isEntry);
    const refusals = answers.filter((answer) => !isEntry(answer)) as Usage[];
    try {
      for (const result of results) if (result.status === 'rejected') throw result.reason;
      const isRefused = refusals.some(({ charge }) => !charge.shadow);
      const result = isRefused ? { refused: [refusals] } : await takeOwn(request, own, now);
      if ('refused' in result) {
        await leases.release(entries, now);
        return { refused: [await peekBeside(result.refused[0], who, bills, now)] };
      }
      const { receipt, shadowRefused, usages = [] } = result;
      const sharedUsages = answers.map((answer) => (isEntry(answer) ? leases.usageOf(answer.charge, who) : answer));
      return {
        taken: 0,
        receipt: [...receipt, ...entries],
        shadowRefused: [...shadowRefused, ...refusals],
        usages: request.tells ? [...usages, ...sharedUsages] : undefined,
      };
    } catch (error) {
      leases.cutOff();
      await leases.release(entries, now);
      throw error;
    }
  }

  function takeOwn(request: TakeRequest, way: Alternative, now: number): May<Taken | NotTaken> {
    if (way.bills.length === 0) return { taken: 0, receipt: [], shadowRefused: [] };
    return storeOf(way.bills[0].scope, way.who).take({ ...request, alternatives: [way] }, now);
  }

  /** What all meters say, those that have refused as they did. */
  async function peekBeside(known: readonly Usage[], who: Who, bills: readonly Bill[], now: number): Promise<Usage[]> {
    const usages = await peekAll(who, bills, now);
    return usages.map((usage) => known.find(({ charge }) => charge === usage.charge) ?? usage);
  }

  async function peekAll(who: Who, bills: readonly Bill[], now: number): Promise<Usage[]> {
    const usages = await Promise.all(bills.map((bill) => storeOf(bill.scope, who).peek(who, [bill], now)));
    return usages.flat().map((usage) => (isShared(usage.charge.meter.scope) ? leases.seen(usage, who, now) : usage));
  }

  async function settle(entries: Receipt, actual: readonly number[], now: number, goesOn: boolean): Promise<void> {
    const parts = new Map<Store, { entries: SharedEntry[]; actual: number[] }>();
    for (const [i, entry] of (entries as readonly SharedEntry[]).entries()) {
      const { scope } = entry.charge.meter;
      if (isShared(scope)) {
        leases.absorb(entry, actual[i], now);
        if (isSettled(entry, actual[i], goesOn)) continue;
      }
      const store = storeOf(scope, entry.who);
      const part = parts.get(store) ?? { entries: [], actual: [] };
      parts.set(store, part);
      part.entries.push(entry);
      part.actual.push(actual[i]);
    }
    await Promise.all([...parts].map(([store, part]) => store.settle(part.entries, part.actual, now, goesOn)));
  }

  /** A gate's clock that is set back is ignored, by all shards alike. */
  function tick(now: number): number {
    if (!isTimeGiven) return now;
    if (now > latest) latest = now;
    return latest;
  }

  return {
    take(request, at) {
      const now = tick(at);
      const { alternatives } = request;
      const stores = new Set(alternatives.flatMap(({ who, bills }) => bills.map(({ scope }) => storeOf(scope, who))));
      const isOwn = alternatives.every(({ bills }) => bills.every(({ scope }) => !isShared(scope)));
      // All of it is in one shard, and that can choose by itself.
      return isOwn && stores.size === 1 ? [...stores][0].take(request, now) : take(request, now);
    },
    settle: (entries, actual, now, goesOn = false) => settle(entries, actual, tick(now), goesOn),
    async observe(seen, now) {
      const at = tick(now);
      const observed = seen.map((one) => storeOf(one.meter.scope, one.who).observe?.([one], at));
      return (await Promise.all(observed)).some(Boolean);
    },
    peek: (who, bills, now) => peekAll(who, bills, tick(now)),
    takeLeased(charges, who, now) {
      return charges.every(({ meter }) => isShared(meter.scope))
        ? leases.takeLeased(charges, who, tick(now))
        : undefined;
    },
    check(meters) {
      const isLost = ({ name, scope, outside }: Meter) =>
        outside === undefined && isShared(scope) && !shared.includes(name);
      const lost = meters.filter(isLost).sort((a, b) => a.position - b.position);
      const problems = lost.map(problemOf);
      if (problems.length > 0) throw configError(problems);
    },
    records: base.records,
    shared: base.shared,
    unsharded: denyCache(base),
    async close() {
      await leases.close();
      await Promise.all([base, ...stores.values()].map((store) => store.close()));
    },
  };

  function problemOf({ name, scope, unit }: Meter): Problem {
    return {
      path: `the ${unit === 'usd' ? 'budget' : 'limit'} '${name}'`,
      value: scope.by.length > 0 ? scope.by.join(' and ') : undefined,
      expected: `to count by '${shardBy}' too, by which its store is sharded, or to be named in redisStore's \`shared\``,
    };
  }
}

/** True where its meter has nothing to be told: a bucket has to know which of its holds are over. */
function isSettled({ charge, cost, settling }: SharedEntry, actual: number, goesOn: boolean): boolean {
  return cost === actual && settling === undefined && (goesOn || charge.rule.kind !== 'bucket');
}

/** Spreads texts evenly, in every process alike: FNV-1a of 32 bits, by Fowler, Noll and Vo. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
