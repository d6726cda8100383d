/** Settlings that the store has failed: kept, and asked again until it has done them, so that nothing is dropped. */
import type { Clock } from '../clock.js';
import type { May } from '../request.js';
import type { Entry, Receipt } from '../store/store.js';

export interface Settling {
  readonly receipt: Receipt;
  readonly actual: readonly number[];
  readonly goesOn: boolean;
  readonly contest?: Contest | undefined;
}

/**
 * Asked before an admission is settled that others may settle, too: true where it is this one's to settle. Fails as the store
 * does; asked again, it says the same.
 */
export type Claim = () => Promise<boolean>;

/** Of what others may settle too. */
export interface Contest {
  /** Asked first: nothing is settled here where they have. */
  readonly claim: Claim;
  /** Called once it is settled here. */
  won(): void;
}

export interface Unsettled {
  /** True where one of the same admission is kept: what comes after it has to wait, too. */
  holds(receipt: Receipt): boolean;
  add(settling: Settling): void;
  /** Asks once more, and no further: what is left then is given up. */
  close(): Promise<void>;
}

const RETRY_MS = 1000;

/** So many are asked for at once unless the store is down: what comes meanwhile must not come faster than they go. */
const MOST_AT_ONCE = 100;

/** The oldest are given up where there are more: what they are of stays as it is charged. */
const MOST_KEPT = 10_000;

/**
 * @param settle throws or rejects where the store fails
 * @param isDown the store is known to answer nobody
 * @param gaveUp told where there are too many, or nobody asks any more: once, until all are settled
 */
export function createUnsettled(
  clock: Clock,
  settle: (settling: Settling) => May<void>,
  isDown: () => boolean,
  gaveUp: () => void,
): Unsettled {
  let kept: Settling[] = [];
  /** By entry, in how many of those it is. */
  const counts = new Map<Entry, number>();
  /** What is under way. */
  let asking: Promise<void> | undefined;
  let isClosed = false;
  let hasGivenUp = false;
  let cancel = () => {};

  /** Waits for its next turn when it is over, and not before: a turn that comes while it is under way is none. */
  function askAgain(): Promise<void> {
    asking ??= askAll().then(() => {
      asking = undefined;
      if (kept.length === 0) hasGivenUp = false;
      else if (!isClosed) wait();
    });
    return asking;
  }

  /** Once for each; where of some none is done the store is down, and that was all. What fails comes behind: it may be by its own fault. */
  async function askAll(): Promise<void> {
    const failed = new Set<Settling>();
    for (let most = isDown() ? 1 : MOST_AT_ONCE; ; most = MOST_AT_ONCE) {
      const some = firstApart(split(kept, failed).ready, most);
      if (some.length === 0) break;
      const results = await Promise.allSettled(some.map(async (settling) => settle(settling)));
      const settled = new Set(some.filter((_, i) => results[i].status === 'fulfilled'));
      kept = kept.filter((settling) => !settled.has(settling));
      for (const settling of settled) count(settling, -1);
      for (const settling of some) if (!settled.has(settling)) failed.add(settling);
      if (settled.size === 0) break;
    }
    const { ready, blocked } = split(kept, failed);
    kept = [...ready, ...blocked];
  }

  function count({ receipt }: Settling, by: number): void {
    for (const entry of receipt) {
      const now = (counts.get(entry) ?? 0) + by;
      if (now > 0) counts.set(entry, now);
      else counts.delete(entry);
    }
  }

  function giveUp(): void {
    if (!hasGivenUp) gaveUp();
    hasGivenUp = true;
  }

  function wait(): void {
    cancel();
    cancel = clock.after(RETRY_MS, askAgain);
  }

  return {
    holds: (receipt) => counts.size > 0 && receipt.some((entry) => counts.has(entry)),
    add(settling) {
      if (isClosed) return giveUp();
      if (kept.length === 0) wait();
      if (kept.length === MOST_KEPT) {
        const [oldest] = kept.splice(0, 1);
        count(oldest, -1);
        giveUp();
      }
      kept.push(settling);
      count(settling, 1);
    },
    async close() {
      isClosed = true;
      cancel();
      await asking;
      if (kept.length > 0) await askAgain();
      if (kept.length > 0) giveUp();
    },
  };
}

/** Those that failed, each with what comes after it of the same admission; and all others. */
function split(settlings: readonly Settling[], failed: ReadonlySet<Settling>) {
  const entries = new Set<Entry>();
  const [ready, blocked]: [Settling[], Settling[]] = [[], []];
  for (const settling of settlings) {
    const isBlocked = failed.has(settling) || settling.receipt.some((entry) => entries.has(entry));
    (isBlocked ? blocked : ready).push(settling);
    if (isBlocked) for (const entry of settling.receipt) entries.add(entry);
  }
  return { ready, blocked };
}

/** The first, up to one that has an entry in common with another: those of one admission are settled in turn. */
function firstApart(settlings: readonly Settling[], most: number): readonly Settling[] {
  const entries = new Set<Entry>();
  const some: Settling[] = [];
  for (const settling of settlings) {
    if (some.length === most || settling.receipt.some((entry) => entries.has(entry))) break;
    for (const entry of settling.receipt) entries.add(entry);
    some.push(settling);
  }
  return some;
}
