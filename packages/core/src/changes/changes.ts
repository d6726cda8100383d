/** What changes a gate while it runs: what it is told here and, where processes share its store, what others are told. */
import { randomBytes } from 'node:crypto';
import type { BudgetState } from '../budget-state.js';
import type { Clock } from '../clock.js';
import type { CheckedConfig } from '../config/validate.js';
import type { TollgateChange, TollgateConfig } from '../config.js';
import { showThrown, warn, warnOnce } from '../errors.js';
import type { Emitter } from '../events.js';
import type { Ledger } from '../ledger/ledger.js';
import type { Learned } from '../money/learned.js';
import type { Whom } from '../request.js';
import type { Shared } from '../store/store.js';
import { type Terms, termsOf } from '../terms/terms.js';
import { changedHere, changeHeard, changeNotTold, type Standing } from './standing.js';
import { changeText, readChange, untellable } from './telling.js';
import { applyRoom, type Given, giveRoom } from './top-up.js';

export interface Changes {
  /** The present ones. */
  terms(): Terms;
  /** The configuration with all that has been changed in it. */
  config(): TollgateConfig;
  update(change: TollgateChange): void;
  giveBudgetRoom(
    by: 'topUp' | 'resetBudget',
    budget: string,
    whom: Whom,
    room: number | 'all used',
  ): Promise<BudgetState>;
  /** Begins to follow what is told, also what was told before and still holds. */
  follow(): void;
  close(): void;
}

/** What a change takes of its gate. */
interface Site {
  readonly gate: string;
  readonly clock: Clock;
  readonly emitter: Emitter;
  readonly shared: Shared | undefined;
  /** It is made after this. */
  ledger(): Ledger;
  /** Called where limits have changed, here or elsewhere; `isNews` the first time for each change. */
  updated(change: TollgateChange, isNews: boolean): void;
  /** Called where a budget has been given room. */
  given(): void;
}

/** What gates of one name tell each other. A process hears its own messages too. */
type Message = { readonly id: string; readonly update: string } | { readonly given: Given };

export function createChanges(
  config: TollgateConfig,
  checked: CheckedConfig,
  learned: Learned,
  { gate, clock, emitter, shared, ledger, updated, given }: Site,
): Changes {
  const self = randomBytes(9).toString('base64url');
  const first = { source: config, checked };
  let standing: Standing = { told: first, own: [], present: first };
  let terms = termsOf(checked, learned);
  let ids = 0;
  let unfollow: (() => void) | undefined;
  const warned = new Set<string>();

  function stand(next: Standing): void {
    if (next.present !== standing.present) terms = termsOf(next.present.checked, learned, terms);
    standing = next;
  }

  function newId(): string {
    return `${self}-${ids++}`;
  }

  function hear(text: string): void {
    try {
      const message: Message = JSON.parse(text);
      if ('update' in message) hearChange(readChange(message.update), message.id);
      else if (applyRoom(terms.plan, message.given)) given();
    } catch (error) {
      misfit(error);
    }
  }

  function hearChange(change: TollgateChange, id: string): void {
    const { present } = standing;
    stand(changeHeard(standing, change, id, misfit));
    if (standing.present !== present) updated(change, !id.startsWith(self));
  }

  function misfit(error: unknown): void {
    warn(
      'TOLLGATE_NOT_SHARED',
      `Gate '${gate}' can't follow a change made here or in another process: ${showThrown(error)}`,
    );
  }

  async function tell(message: Message, ttlMs: number): Promise<void> {
    await shared?.publish(gate, JSON.stringify(message), ttlMs);
  }

  function tellOthers(change: TollgateChange, id: string): void {
    const untold = untellable(change);
    if (untold !== undefined) {
      stand(changeNotTold(standing, id));
      const message = `Gate '${gate}' was changed in this process alone: others can't be told what ${untold} is.`;
      warnOnce(warned, untold, 'TOLLGATE_NOT_SHARED', message);
      return;
    }
    tell({ id, update: changeText(change) }, 0).catch((error) => {
      stand(changeNotTold(standing, id));
      warn('TOLLGATE_NOT_SHARED', `Gate '${gate}' may have been changed in this process alone: ${showThrown(error)}`);
    });
  }

  return {
    terms: () => terms,
    config: () => standing.present.source,
    update(change) {
      const id = shared && newId();
      stand(changedHere(standing, change, id));
      // Told before its listeners may make another change: the order is theirs.
      if (id !== undefined) tellOthers(change, id);
      updated(change, true);
    },
    async giveBudgetRoom(by, budget, whom, room) {
      // Told first: what can't be told of is not given here alone. It may be heard before that is confirmed, or though it failed.
      const give = async (grant: Omit<Given, 'id'>, ttlMs: number) => {
        const given: Given = { id: newId(), ...grant };
        await tell({ given }, ttlMs);
        applyRoom(terms.plan, given);
      };
      const state = await giveRoom(terms.plan, ledger(), budget, whom, room, clock.now(), give);
      given();
      const amount = room === 'all used' ? undefined : room;
      emitter.emit('budget.credited', { gate, by, whom, amount, budget: state });
      return state;
    },
    follow() {
      unfollow = shared?.listen(gate, hear);
    },
    close: () => unfollow?.(),
  };
}
