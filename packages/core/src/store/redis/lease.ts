/**
 * A lease: what a process has been charged of a meter that many shards share, and may use without asking again. It was
 * charged before it is used, so whatever becomes of it, the meter counts at least what was admitted.
 *
 * What is charged to a window counts as of its sub-bucket, so it may be used in that one alone: then every interval holds
 * what it would hold had each admission been charged by itself. A bucket's is held until it is used, which keeps the refill
 * from giving the same once more. A budget's is charged to its period, and so is the charge that it is used for.
 *
 * Steps with time as an argument: milliseconds of any clock that is never set back, the same for all steps of a lease.
 */
import type { Rule } from '../../meters/meter.js';
import { epochOf, type RedisEntry } from './operation.js';

export interface Lease {
  /** Where what is left was charged; `undefined` before the first charge. */
  block: RedisEntry | undefined;
  /** Charged, and not used. */
  spare: number;
  /** From then on the rest may only be given back. */
  until: number;
  /** Used since the last block was charged, and of the block before. */
  spent: number;
  spentBefore: number;
  /** The most that may be charged ahead of use. */
  allowance: number;
}

/** Of the room that a meter had when it was last asked, what one process may hold ahead of use. */
const SHARE = 1 / 16;

/** So much of what was used is charged ahead, so that leases grow with the load, and go with it. */
const GROWTH = 2;

/** Of what a bucket holds; by far less than the hold lasts (see meters/bucket.ts). */
const BUCKET_MS = 60_000;

export function createLease(): Lease {
  return { block: undefined, spare: 0, until: 0, spent: 0, spentBefore: 0, allowance: 0 };
}

/** True where a cost can be spent. What costs nothing is asked of the meter, which may be overdrawn. */
export function hasEnough({ block, spare, until }: Lease, cost: number, now: number): boolean {
  return block !== undefined && now < until && cost > 0 && cost <= spare;
}

/** Uses of it, where there is enough. */
export function spend(lease: Lease, cost: number, now: number): boolean {
  if (!hasEnough(lease, cost, now)) return false;
  lease.spare -= cost;
  lease.spent += cost;
  return true;
}

/** Takes back what was spent, to be used again; false where it has to be given back to the meter. */
export function putBack(lease: Lease, entry: RedisEntry, amount: number, now: number): boolean {
  if (now >= lease.until || !isOf(lease.block, entry) || lease.spare + amount > lease.allowance) return false;
  lease.spare += amount;
  lease.spent = Math.max(0, lease.spent - amount);
  return true;
}

/** How much more than is needed is to be charged with the next block, in whole units. */
export function ahead({ spent, spentBefore, allowance, spare }: Lease): number {
  return Math.max(0, Math.min(allowance - spare, Math.floor(GROWTH * Math.max(spent, spentBefore))));
}

/** Learns what a meter says of its room, whether it was charged or not. */
export function learnRoom(lease: Lease, room: number): void {
  lease.allowance = Math.max(0, Math.floor(room * SHARE));
}

/**
 * Adds what was charged as one block. Returns what is left of an older one, which then can only be given back, or of this
 * one, where a newer is known.
 *
 * @param cost the part of it that is used at once
 * @param sentAt when it was asked for, by the clock of `now`
 */
export function add(lease: Lease, block: RedisEntry, cost: number, sentAt: number): RedisEntry | undefined {
  const spare = block.cost - cost;
  const before = lease.block;
  if (before !== undefined && epochOf(before) === epochOf(block) && before.place > block.place) {
    return spare > 0 ? part(block, spare) : undefined;
  }
  const isSame = isOf(before, block);
  const left = isSame ? undefined : letGo(lease);
  if (!isSame) lease.block = part(block, 0);
  if (!isSame || spare > 0) {
    lease.spentBefore = lease.spent;
    lease.spent = 0;
  }
  lease.spare += spare;
  lease.spent += cost;
  lease.until = sentAt + lastsMs(block);
  return left;
}

/** Gives up what is left: to be given back to the meter. */
export function letGo(lease: Lease): RedisEntry | undefined {
  const { block, spare } = lease;
  lease.spare = 0;
  lease.until = 0;
  return block !== undefined && spare > 0 ? part(block, spare) : undefined;
}

/** A part of what was charged as one block: by all rules it can be settled by itself. */
export function part(block: RedisEntry, cost: number): RedisEntry {
  return { ...block, cost, settling: undefined };
}

/**
 * For how long a block may be used, from when it was asked for. The store's time is at most what its reply says and what
 * has passed here since the call was sent; so no two clocks have to agree.
 */
function lastsMs({ charge: { rule }, place, bookedAt }: RedisEntry): number {
  return USABLE_MS[rule.kind](rule as never, place, bookedAt);
}

const USABLE_MS: {
  readonly [K in Rule['kind']]: (rule: Extract<Rule, { kind: K }>, place: number, at: number) => number;
} = {
  // Where the store's clock was set back, the sub-bucket is one yet to come.
  window: ({ partMs }, place, at) => Math.min(partMs, (place + 1) * partMs - at),
  bucket: () => BUCKET_MS,
  calendar: () => Number.POSITIVE_INFINITY,
  slots: () => 0,
  headroom: () => 0,
};

function isOf(block: RedisEntry | undefined, entry: RedisEntry): boolean {
  return block !== undefined && block.place === entry.place && epochOf(block) === epochOf(entry);
}
