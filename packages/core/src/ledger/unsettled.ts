/** Settlings that the store has failed: kept, and asked again in their order until it answers, so that nothing is dropped. */
import type { Clock } from '../clock.js';
import { isPromise, type May } from '../request.js';
import type { Receipt } from '../store/store.js';

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

/** The oldest are given up where there are more: what they are of stays as it is charged. */
const MOST_KEPT = 10_000;

/**
 * @param settle throws or rejects where the store fails
 * @param gaveUp told where there are too many, or nobody asks any more
 */
export function createUnsettled(
  clock: Clock,
  settle: (settling: Settling) => May<void>,
  gaveUp: () => void,
): Unsettled {
  const kept: Settling[] = [];
  /** What is under way. */
  let asking: Promise<void> | undefined;
  let isClosed = false;
  let cancel = () => {};

  /** Waits for its next turn when it is over, and not before: a turn that comes while it is under way is none. */
  function askAgain(): Promise<void> {
    asking ??= askAll().then((isDone) => {
      asking = undefined;
      if (!isDone && !isClosed) wait();
    });
    return asking;
  }

  async function askAll(): Promise<boolean> {
    try {
      while (kept.length > 0) {
        const [next] = kept;
        const settling = settle(next);
        if (isPromise(settling)) await settling;
        if (kept[0] === next) kept.shift();
      }
      return true;
    } catch {
      return false;
    }
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
      if (isClosed) return gaveUp();
      if (kept.length === 0) wait();
      if (kept.length === MOST_KEPT) {
        kept.shift();
        gaveUp();
      }
      kept.push(settling);
    },
    async close() {
      isClosed = true;
      cancel();
      await asking;
      if (kept.length > 0) await askAgain();
      if (kept.length > 0) gaveUp();
    },
  };
}
