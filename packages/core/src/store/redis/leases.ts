/**
 * The leases of a process: of each meter that shards share and each key of it, at each limit that it is charged by. A
 * request is charged from the lease where there is enough, and by itself where there is not: so what is too small to lease
 * is charged request by request, and given back where a shard refuses. What is not used for {@link IDLE_MS} is given back.
 */
import { type Charge, keyIn, type Usage, type Who } from '../../meters/meter.js';
import type { May } from '../../request.js';
import type { Store } from '../store.js';
import { recordName } from './keys.js';
import { add, ahead, createLease, hasEnough, type Lease, learnRoom, letGo, part, putBack, spend } from './lease.js';
import type { RedisEntry } from './operation.js';

/** What a request was charged of a shared meter. */
export interface SharedEntry extends RedisEntry {
  /** Never charged more than it drew, so that what it leaves can be used again. */
  isWhole: boolean;
}

export interface Leases {
  /** Charges a request, or says why not. Fails as the store does, and has then charged nothing. */
  acquire(charge: Charge, who: Who, now: number): May<SharedEntry | Usage>;
  /** Charges all of it from what is leased, or nothing. For as long as nobody can be asked. */
  takeLeased(charges: readonly Charge[], who: Who, now: number): readonly SharedEntry[] | undefined;
  /** Nobody can be asked: what is idle is kept for a while, since it could not be given back, nor got anew. */
  cutOff(): void;
  /** Takes back what a request needs no longer, where it can be used again, and brings the entry up to date. */
  absorb(entry: SharedEntry, actual: number, now: number): void;
  /** Gives it all back: if it fails, later. */
  release(entries: readonly SharedEntry[], now: number): Promise<void>;
  /** What a meter says that is known to have room, as far as it was told of. */
  usageOf(charge: Charge, who: Who): Usage;
  /** What a meter says, with what is leased here as not used. */
  seen(usage: Usage, who: Who, now: number): Usage;
  close(): Promise<void>;
}

interface Holding {
  readonly lease: Lease;
  readonly store: Store;
  /** What the meter said last. */
  usage: Usage | undefined;
  /** A block that has been asked for. */
  asking: Promise<unknown> | undefined;
  /** When it was last used, by the process's own clock. */
  usedAt: number;
}

const IDLE_MS = 1_000;
const SWEEP_MS = 250;

/** Since when somebody last could not be asked. */
const CUT_OFF_MS = 60_000;

/**
 * @param storeOf where a meter's records are
 * @param isTimeGiven records go by the gate's time, else by the store's own
 * @param later before what could not be given back is given back once more
 */
export function createLeases(
  storeOf: (charge: Charge, who: Who) => Store,
  isTimeGiven: boolean,
  later: () => Promise<void>,
): Leases {
  const holdings = new Map<string, Holding>();
  /** What could not be given back yet. */
  const owed = new Map<RedisEntry, Store>();
  let latest = 0;
  /** When nobody could be asked, if nobody could since; by the process's own clock. */
  let cutOffAt = Number.NEGATIVE_INFINITY;
  let sweeping: NodeJS.Timeout | undefined;

  function timeOf(now: number): number {
    if (now > latest) latest = now;
    return isTimeGiven ? latest : performance.now();
  }

  function holdingOf(charge: Charge, who: Who): Holding {
    const name = nameOf(charge, who);
    const known = holdings.get(name);
    if (known !== undefined) return known;
    const store = storeOf(charge, who);
    const holding = { lease: createLease(), store, usage: undefined, asking: undefined, usedAt: performance.now() };
    holdings.set(name, holding);
    sweeping ??= setInterval(sweep, SWEEP_MS).unref();
    return holding;
  }

  /** Charges the first of several costs that fits, of which a request uses its own. */
  async function take(holding: Holding, charge: Charge, costs: readonly number[], who: Who, now: number) {
    const { lease, store } = holding;
    const sentAt = timeOf(now);
    const { scope } = charge.meter;
    // On trial or not, it has to say whether it was charged.
    const charges = costs.map((cost) => ({ ...charge, cost, shadow: false }));
    const alternatives = charges.map((charge) => ({ name: '', who, bills: [{ scope, charges: [charge] }] }));
    const result = await store.take({ alternatives, tells: true }, now);
    cutOffAt = Number.NEGATIVE_INFINITY;
    const usage = 'refused' in result ? result.refused[costs.length - 1][0] : (result.usages as readonly Usage[])[0];
    holding.usage = usage;
    learnRoom(lease, charge.limit - usage.used);
    if ('refused' in result) return { ...usage, charge };
    const block = result.receipt[0] as RedisEntry;
    giveBack(holding, add(lease, block, charge.cost, sentAt));
    return entryOf(block, charge, who, usage);
  }

  /** Charges a block, for whoever waits for it, unless one has been asked for. */
  function ask(holding: Holding, charge: Charge, who: Who, now: number): Promise<SharedEntry | Usage> {
    const asking = take(holding, charge, [charge.cost + ahead(holding.lease), charge.cost], who, now);
    holding.asking = asking.finally(() => {
      holding.asking = undefined;
    });
    holding.asking.catch(() => {});
    return asking;
  }

  function spent({ lease, usage }: Holding, charge: Charge, who: Who, time: number): SharedEntry | undefined {
    if (!spend(lease, charge.cost, time)) return undefined;
    return entryOf(lease.block as RedisEntry, charge, who, usage);
  }

  async function acquireLater(holding: Holding, charge: Charge, who: Who, now: number): Promise<SharedEntry | Usage> {
    await holding.asking?.catch(() => {});
    return spent(holding, charge, who, timeOf(now)) ?? take(holding, charge, [charge.cost], who, now);
  }

  /** Until it is done, though nobody waits for more than the first attempt. */
  async function giveBack(holding: Holding, entry: RedisEntry | undefined): Promise<void> {
    if (entry === undefined) return;
    const { cost } = entry;
    try {
      await holding.store.settle([entry], [0], latest);
      owed.delete(entry);
      if (holding.usage !== undefined) holding.usage = { ...holding.usage, used: holding.usage.used - cost };
    } catch {
      owed.set(entry, holding.store);
      void later().then(() => giveBack(holding, entry));
    }
  }

  function cutOff(): void {
    cutOffAt = performance.now();
  }

  function sweep(): void {
    const now = timeOf(latest);
    for (const [name, holding] of holdings) {
      const isIdle = performance.now() - Math.max(holding.usedAt, cutOffAt + CUT_OFF_MS) >= IDLE_MS;
      if (isIdle || now >= holding.lease.until) giveBack(holding, letGo(holding.lease));
      if (isIdle && holding.asking === undefined) holdings.delete(name);
    }
    if (holdings.size > 0) return;
    clearInterval(sweeping);
    sweeping = undefined;
  }

  function absorb(entry: SharedEntry, actual: number, now: number): void {
    const { charge, who, cost, isWhole, settling } = entry;
    if (actual > cost) entry.isWhole = false;
    if (actual >= cost || !isWhole || settling !== undefined) return;
    const holding = holdings.get(nameOf(charge, who));
    if (holding === undefined || !putBack(holding.lease, entry, cost - actual, timeOf(now))) return;
    entry.cost = actual;
    entry.used = usedOf(charge, holding.usage);
  }

  return {
    acquire(charge, who, now) {
      const holding = holdingOf(charge, who);
      holding.usedAt = performance.now();
      // What runs outlasts any lease of its slot.
      if (isBrief(charge)) return take(holding, charge, [charge.cost], who, now);
      const entry = spent(holding, charge, who, timeOf(now));
      if (entry !== undefined) return entry;
      if (holding.asking !== undefined) return acquireLater(holding, charge, who, now);
      if (ahead(holding.lease) > charge.cost) return ask(holding, charge, who, now);
      return take(holding, charge, [charge.cost], who, now);
    },
    takeLeased(charges, who, now) {
      cutOff();
      const own = charges.map((charge) => holdings.get(nameOf(charge, who)));
      const time = timeOf(now);
      const hasAll = charges.every(({ cost }, i) => own[i] !== undefined && hasEnough(own[i].lease, cost, time));
      return hasAll
        ? charges.map((charge, i) => spent(own[i] as Holding, charge, who, time) as SharedEntry)
        : undefined;
    },
    cutOff,
    absorb,
    async release(entries, now) {
      for (const entry of entries) absorb(entry, 0, now);
      const kept = entries.filter(({ cost }) => cost > 0);
      await Promise.all(kept.map((entry) => giveBack(holdingOf(entry.charge, entry.who), entry)));
    },
    usageOf(charge, who) {
      const { usage, lease } = holdingOf(charge, who);
      const { used = lease.spare, refillMs = 0 } = usage ?? {};
      return { charge, key: keyIn(charge.meter.scope, who), used: used - lease.spare, waitMs: 0, refillMs };
    },
    seen(usage, who, now) {
      const { lease } = holdings.get(nameOf(usage.charge, who)) ?? {};
      if (lease === undefined || lease.spare === 0) return usage;
      const waitMs = hasEnough(lease, usage.charge.cost, timeOf(now)) ? 0 : usage.waitMs;
      return { ...usage, used: usage.used - lease.spare, waitMs };
    },
    // One of the gates that share the store closes it; leases of others begin anew, and so does the watch over them.
    async close() {
      clearInterval(sweeping);
      sweeping = undefined;
      const all = [...holdings.values()];
      holdings.clear();
      await Promise.allSettled(all.map(({ asking }) => asking));
      await Promise.all(all.map((holding) => giveBack(holding, letGo(holding.lease))));
      await Promise.allSettled([...owed].map(async ([entry, store]) => store.settle([entry], [0], latest)));
    },
  };
}

/** What comes back within moments, or is corrected by others, is not worth a lease. */
function isBrief({ rule }: Charge): boolean {
  return rule.kind === 'slots' || rule.kind === 'headroom';
}

export function isEntry(result: SharedEntry | Usage): result is SharedEntry {
  return 'place' in result;
}

function entryOf(block: RedisEntry, charge: Charge, who: Who, usage: Usage | undefined): SharedEntry {
  return { ...part(block, charge.cost), charge, who, used: usedOf(charge, usage), isWhole: true };
}

/** Of a budget, what counted when it was last asked. */
function usedOf({ rule }: Charge, usage: Usage | undefined): number | undefined {
  return rule.kind === 'calendar' ? usage?.used : undefined;
}

/** Of a lease: charges that differ in what they allow have one each, so that each is judged by its own limit. */
function nameOf({ meter, rule, limit }: Charge, who: Who): string {
  const variant = rule.kind === 'bucket' ? rule.perMs : rule.kind === 'calendar' ? rule.period : 0;
  return recordName(`${meter.id} ${limit} ${variant}`, meter.scope, who);
}
