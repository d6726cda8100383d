/** What is asked of Redis, and by whom it is awaited. */
import type { Bill, Usage, Who } from '../../meters/meter.js';
import type { Alternative, Entry, NotTaken, Receipt, Seen, Taken } from '../store.js';
import type { Counted } from './columns.js';

/** Where entries were charged, all by one call or by one respend; `again` is the respend that took its place. */
export interface Origin {
  /** Of the data in Redis: another one begins where all of that is lost. */
  epoch: number;
  again?: Origin;
}

/** What was charged in Redis, to be settled there. */
export interface RedisEntry extends Entry {
  /** What is lost of it is not given back of other data. Budgets have one of their own, since they alone are spent again. */
  readonly origin: Origin;
  /** When it was charged, by the time that records go by. */
  readonly bookedAt: number;
  /** A settling whose outcome isn't known yet: what comes of it is what the next one starts from. */
  settling: Settle | undefined;
}

interface Asked<T> {
  /** The gate's time. */
  readonly now: number;
  /** When it was asked for, by this process's own clock, which is never set. */
  readonly at: number;
  /** Nobody waits for it any more: it has taken too long. */
  givenUp: boolean;
  resolve(result: T): void;
  reject(error: unknown): void;
}

export interface Take extends Asked<Taken | NotTaken> {
  readonly kind: 'take';
  readonly alternatives: readonly Alternative[];
  /** What the meters say then is wanted too. */
  readonly tells: boolean;
  /** Of one that waits for its turn where others wait elsewhere; at a meter at least. */
  readonly score: number | undefined;
}

export interface Settle extends Asked<void> {
  readonly kind: 'settle';
  readonly entries: Receipt;
  readonly actual: readonly number[];
  readonly goesOn: boolean;
  /** It is a respend: of what was lost, which stands there from then on. It goes before all else, and until it is done. */
  readonly again?: Origin;
}

export interface Peek extends Asked<readonly Usage[]> {
  readonly kind: 'peek';
  readonly who: Who;
  readonly bills: readonly Bill[];
}

export interface Observe extends Asked<boolean> {
  readonly kind: 'observe';
  readonly seen: readonly Seen[];
}

export type Operation = Take | Settle | Observe | Peek;

/** Of a settling: Lua can't take many more numbers out of a text at once. */
export const MOST_ENTRIES = 500;

/** How many keys a call needs for it at most. */
export function mostKeysOf(operation: Operation): number {
  switch (operation.kind) {
    case 'take':
      // Where it has to wait for its turn, each charge may have waiters of its own.
      return operation.alternatives.reduce(
        (count, { bills }) => count + bills.length + (operation.score === undefined ? 0 : countOf(bills)),
        0,
      );
    case 'settle':
      return 2 * operation.entries.length;
    case 'observe':
      return 2 * operation.seen.length;
    case 'peek':
      return operation.bills.length;
  }
}

/** How many charges there are. */
export function countOf(bills: readonly Bill[]): number {
  let count = 0;
  for (let i = 0; i < bills.length; i++) count += bills[i].charges.length;
  return count;
}

/** Asks nothing but whether what its lane was told is known. */
export function probeAt(now: number): Peek {
  const at = performance.now();
  return { kind: 'peek', who: [], bills: [], now, at, givenUp: false, resolve() {}, reject() {} };
}

/** Where an entry stands by now. */
export function originOf({ origin }: Pick<RedisEntry, 'origin'>): Origin {
  let standing = origin;
  while (standing.again !== undefined) standing = standing.again;
  return standing;
}

export function epochOf(entry: RedisEntry): number {
  return originOf(entry).epoch;
}

type Charged = { readonly charge: Counted; readonly who: Take['alternatives'][number]['who'] };

/** The charges of an entry and of those behind it that stand in the same record, of each meter one. */
export function beside(entries: readonly Charged[], from: number): Counted[] {
  const { charge, who } = entries[from];
  const charges: Counted[] = [charge];
  for (let i = from + 1; i < entries.length; i++) {
    const { charge: next, who: nextWho } = entries[i];
    if (nextWho !== who || next.meter.scope !== charge.meter.scope) break;
    if (!charges.some(({ meter }) => meter === next.meter)) charges.push(next);
  }
  return charges;
}
