/** What changes a gate while it runs: what it is told here and, where processes share its store, what others are told. */
import type { BudgetState } from './budget-state.js';
import type { Clock } from './clock.js';
import type { TollgateChange, TollgateConfig } from './config.js';
import { showThrown, warn } from './errors.js';
import type { Ledger } from './ledger.js';
import type { Learned } from './money/learned.js';
import type { Whom } from './request.js';
import { isRecord } from './schema.js';
import type { Shared } from './store/store.js';
import { type Terms, termsOf } from './terms.js';
import { applyRoom, type Given, giveRoom } from './top-up.js';
import { changed } from './update.js';
import type { CheckedConfig } from './validate.js';

export interface Changes {
  /** The present ones. */
  terms(): Terms;
  update(change: TollgateChange): void;
  giveBudgetRoom(budget: string, whom: Whom, room: number | 'all used'): Promise<BudgetState>;
  /** Begins to follow what others are told, also what they have been told that still holds. */
  follow(): void;
  close(): void;
}

/** What a change takes of its gate. */
interface Site {
  readonly gate: string;
  readonly clock: Clock;
  readonly shared: Shared | undefined;
  /** It is made after this. */
  ledger(): Ledger;
  /** Called where limits have changed, here or elsewhere. */
  updated(change: TollgateChange): void;
  /** Called where a budget has been given room elsewhere. */
  given(): void;
}

type Message = { readonly gate: string } & ({ readonly update: TollgateChange } | { readonly given: Given });

export function createChanges(
  config: TollgateConfig,
  checked: CheckedConfig,
  learned: Learned,
  { gate, clock, shared, ledger, updated, given }: Site,
): Changes {
  let source = config;
  let terms = termsOf(checked, learned);
  let unfollow: (() => void) | undefined;

  function apply(change: TollgateChange): void {
    const next = changed(source, change);
    source = next.source;
    terms = termsOf(next.checked, learned, terms);
    updated(change);
  }

  function hear(text: string): void {
    try {
      const message: Message = JSON.parse(text);
      if (message.gate !== gate) return;
      if ('update' in message) apply(message.update);
      else if (applyRoom(terms.plan, message.given)) given();
    } catch (error) {
      warn('TOLLGATE_NOT_SHARED', `Gate '${gate}' can't follow a change made in another process: ${showThrown(error)}`);
    }
  }

  return {
    terms: () => terms,
    update(change) {
      apply(change);
      if (shared === undefined || !isPlain(change)) return;
      const failed = (error: unknown) =>
        warn('TOLLGATE_NOT_SHARED', `Gate '${gate}' was changed in this process alone: ${showThrown(error)}`);
      shared.publish(JSON.stringify({ gate, update: change } satisfies Message), 0).catch(failed);
    },
    async giveBudgetRoom(budget, whom, room) {
      // Told first: what can't be told of is not given, rather than given here alone.
      const tell = async (given: Given) =>
        shared?.publish(JSON.stringify({ gate, given } satisfies Message), given.ttlMs);
      return giveRoom(terms.plan, ledger(), budget, whom, room, clock.now(), tell);
    },
    follow() {
      unfollow = shared?.listen(hear);
    },
    close: () => unfollow?.(),
  };
}

/** True for what can be told: functions can't. */
function isPlain(value: unknown): boolean {
  if (typeof value === 'function') return false;
  return !isRecord(value) && !Array.isArray(value) ? true : Object.values(value).every(isPlain);
}
