/** What a gate tells those who listen: for metrics, logs and alerts. */
import type { Outcome } from './admission/outcome.js';
import type { BudgetState } from './budget-state.js';
import type { TollgateChange } from './config.js';
import { oneOfNames, showThrown, warn, wrongValue } from './errors.js';
import type { Refusal } from './http/problem.js';
import type { ApiKey } from './keys/key.js';
import type { KeyFault } from './keys/verification.js';
import type { LayerState } from './meters/layer-state.js';
import type { BudgetAlert } from './money/alert-text.js';
import type { BodyEstimate } from './money/body.js';
import type { Money } from './money/nano-dollars.js';
import { type AdmitRequest, type Cost, type Estimate, isPromise, type TokenCounts, type Whom } from './request.js';

export interface TollgateEvents {
  /**
   * Somebody asks to be admitted, or for a change of what has been. Nothing is decided yet; `admitted`, `refused` or `withdrawn`
   * follows under the same id.
   */
  asked: {
    readonly gate: string;
    readonly id: string;
    /** A request, what an open admission is to be turned into, or what more is to be done under it. */
    readonly kind: 'request' | 'change' | 'more';
    readonly request: AdmitRequest;
    /** What the body of the request says of its tokens, where it was asked. */
    readonly body: BodyEstimate | undefined;
    /** What more is expected, where that is asked for. */
    readonly more: Estimate | undefined;
  };
  /** A request was admitted and charged. */
  admitted: {
    readonly gate: string;
    readonly id: string;
    readonly request: AdmitRequest;
    /** The model that serves it. */
    readonly model: string | undefined;
    /** The name of the way that serves it; `undefined` where it offered none. */
    readonly way: string | undefined;
    /** What it costs as a whole. */
    readonly cost: Cost;
    /** True where an earlier admission with this id was extended or changed, rather than a new one made. */
    readonly extended: boolean;
    /** Milliseconds that it waited in the line before it began. */
    readonly waitedMs: number;
  };
  /** A request waits in the line. `admitted`, `refused` or `withdrawn` follows under the same id. */
  queued: {
    readonly gate: string;
    readonly id: string;
    readonly request: AdmitRequest;
    /** The limit or budget that it waits for; `undefined` where it is delayed since its priority is shed. */
    readonly layer: string | undefined;
    /** From 1, which is next; `undefined` where it is delayed. */
    readonly position: number | undefined;
    /** Milliseconds, about; `undefined` where nothing tells yet. */
    readonly expectedWaitMs: number | undefined;
  };
  /** A request left the line without a decision: its signal has aborted, or the gate was closed. Nothing was charged. */
  withdrawn: { readonly gate: string; readonly id: string; readonly request: AdmitRequest; readonly waitedMs: number };
  /**
   * What is shed has changed: at level 0 nothing, at 1 `background`, at 2 `batch` too, at 3 `standard` begins with a cheaper
   * model, at 4 `standard` is shed too.
   */
  'shed.level': { readonly gate: string; readonly from: number; readonly to: number };
  /** A request was refused; nothing was charged. */
  refused: { readonly gate: string; readonly id: string; readonly request: AdmitRequest; readonly refusal: Refusal };
  /** A request was refused for its API key: it shows none that is taken, or one that has no right to what it is for. */
  'key.refused': {
    readonly gate: string;
    /** As the client is told, under the same id. */
    readonly refusal: Refusal;
    /** What the client isn't told of a bad key; or the scope that the key lacks. */
    readonly why: KeyFault | 'route' | 'feature' | 'model';
    /** The key that was shown, where there is such a one. */
    readonly key: ApiKey | undefined;
    /** The address that the request came from, where bad keys are counted by it. */
    readonly from: string | undefined;
  };
  /** A limit in shadow mode would have refused a request that was admitted. */
  'shadow.refused': {
    readonly gate: string;
    readonly id: string;
    readonly request: AdmitRequest;
    readonly layer: LayerState;
  };
  /** A cheaper model of the ladder serves a request, since limits or budgets had no room for the one asked for. */
  degraded: {
    readonly gate: string;
    readonly id: string;
    readonly request: AdmitRequest;
    readonly from: string;
    readonly to: string;
  };
  /** A share of a budget that somebody wants to know of is spent, for the first time in its period. */
  'budget.threshold': BudgetAlert;
  /** A budget was given room for the rest of its period, by `topUp` or `resetBudget`. */
  'budget.credited': {
    readonly gate: string;
    readonly by: 'topUp' | 'resetBudget';
    readonly whom: Whom;
    /** By `topUp`, in nano-dollars. */
    readonly amount: number | undefined;
    readonly budget: BudgetState;
  };
  /** An admission came to its end. */
  settled: {
    readonly gate: string;
    readonly id: string;
    readonly request: AdmitRequest;
    readonly outcome: 'succeeded' | 'failed' | 'ignored';
    /** What it cost as estimated. */
    readonly cost: Cost;
    /** The model that served it. */
    readonly model: string | undefined;
    /** What it used, as far as that is known. */
    readonly usage: TokenCounts | undefined;
    /** What it cost, and that what it was for is overloaded, as far as that was told. */
    readonly usd: Money | undefined;
    readonly overloaded: Outcome['overloaded'];
    /** What it is charged for now; `undefined` where all was given back. */
    readonly actual: Cost | undefined;
    /**
     * True where the response has ended and the handler has not settled: it may still do so, once. Also while calls are open
     * that it could wait for no longer: it is settled anew as they end.
     */
    readonly provisional: boolean;
  };
  /** The configuration was changed while the gate runs, in this process or in another: once for each change. */
  updated: { readonly gate: string; readonly change: TollgateChange };
  /** The store failed, or a limiter of rate-limiter-flexible; what happened to the request is what its limits say under `onStoreError`. */
  'store.failed': { readonly gate: string; readonly error: unknown };
  /** It failed several times in a row: from now on one request a second asks it, and for the others `onStoreError` holds. */
  'store.down': { readonly gate: string; readonly error: unknown };
  /** It answers again, and all requests ask it. */
  'store.recovered': { readonly gate: string; readonly downMs: number };
}

export type EventName = keyof TollgateEvents;

export interface Emitter {
  /**
   * Calls `listener` at each such event. Returns what ends that, safe to call twice.
   *
   * @throws TollgateError `TOLLGATE_CONFIG_INVALID` for an event that there is not
   */
  on<E extends EventName>(event: E, listener: (event: TollgateEvents[E]) => unknown): () => void;
  /** True where anyone listens: an event that nobody hears need not be put together. */
  readonly hears: Readonly<Record<EventName, boolean>>;
  emit<E extends EventName>(event: E, payload: TollgateEvents[E]): void;
}

export function createEmitter(): Emitter {
  const listeners = new Map<EventName, Set<(payload: never) => unknown>>();
  const hears = {
    asked: false,
    admitted: false,
    refused: false,
    'key.refused': false,
    'shadow.refused': false,
    degraded: false,
    queued: false,
    withdrawn: false,
    'shed.level': false,
    'budget.threshold': false,
    'budget.credited': false,
    settled: false,
    updated: false,
    'store.failed': false,
    'store.down': false,
    'store.recovered': false,
  };
  return {
    hears,
    on(event, listener) {
      if (!Object.hasOwn(hears, event))
        throw wrongValue('TOLLGATE_CONFIG_INVALID', 'on: event', event, oneOfNames(Object.keys(hears)));
      if (typeof listener !== 'function')
        throw wrongValue('TOLLGATE_CONFIG_INVALID', 'on: listener', listener, 'a function');
      // A function of its own for each registration, so that the same listener can be added twice and ended once.
      const own = (payload: never) => listener(payload);
      const added = listeners.get(event) ?? new Set();
      listeners.set(event, added.add(own));
      hears[event] = true;
      return () => {
        added.delete(own);
        hears[event] = added.size > 0;
      };
    },
    emit(event, payload) {
      for (const listener of listeners.get(event) ?? []) {
        // The request that the event tells of is not to blame for a listener, and goes on.
        const failed = (error: unknown) =>
          warn('TOLLGATE_LISTENER_FAILED', `A listener of '${event}' failed: ${showThrown(error)}`);
        try {
          const done: unknown = listener(payload as never);
          if (isPromise(done)) done.then(undefined, failed);
        } catch (error) {
          failed(error);
        }
      }
    },
  };
}
