/** Settlings that the store has failed: kept, and asked again in their order until it answers, so that nothing is dropped. */
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
  readonly isEmpty: boolean;
  add(settling: Settling): void;
  /** Asks once more, and no further: what is left then is given up. */
  close(): Promise<void>;
}

const RETRY_MS = 1000;

/** So many are asked for at once where the store answers: what comes meanwhile must not come faster than they go. */
const MOST_AT_ONCE = 100;

/** The oldest are given up where there are more: what they are of stays as it is charged. */
const MOST_KEPT = 10_000;

/**
 * @param settle throws or rejects where the store fails
 * @param gaveUp told where there are too many, or nobody asks any more: once, until all are settled
 */
export function createUnsettled(
  clock: Clock,
  settle: (settling: Settling) => May<void>,
  gaveUp: () => void,
): Unsettled {
  let kept: Settling[] = [];
  /** What is under way. */
  let asking: Promise<void> | undefined;
  let isClosed = false;
  let hasGivenUp = false;
  let cancel = () => {};

  /** Waits for its next turn when it is over, and not before: a turn that comes while it is under way is none. */
  function askAgain(): Promise<void> {
    asking ??= askAll().then((isDone) => {
      asking = undefined;
      if (isDone) hasGivenUp = false;
      if (!isDone && !isClosed) wait();
    });
    return asking;
  }

  /** One, and where the store answers that, many at once. */
  async function askAll(): Promise<boolean> {
    for (let most = 1; kept.length > 0; most = MOST_AT_ONCE) {
      const some = firstApart(kept, most);
      const results = await Promise.allSettled(some.map(async (settling) => settle(settling)));
      const settled = new Set(some.filter((_, i) => results[i].status === 'fulfilled'));
      kept = kept.filter((settling) => !settled.has(settling));
      if (settled.size < some.length) return false;
    }
    return true;
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
    get isEmpty() {
      return kept.length === 0;
    },
    add(settling) {
      if (isClosed) return giveUp();
      if (kept.length === 0) wait();
      if (kept.length === MOST_KEPT) {
        kept.shift();
        giveUp();
      }
      kept.push(settling);
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
