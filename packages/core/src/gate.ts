/** A gate, as those who hold one see it. `tollgate.ts` makes it. */
import type { Admission, Decision } from './admission.js';
import type { BudgetState } from './budget-state.js';
import type { Clock } from './clock.js';
import type { Budget, Limit } from './config/layers.js';
import type { TollgateChange } from './config.js';
import type { Emitter, TollgateEvents } from './events.js';
import type { Refusal } from './http/problem.js';
import type { LineState } from './line/line.js';
import type { LayerState } from './meters/layer-state.js';
import type { EstimateState } from './money/learned.js';
import type { Money } from './money/nano-dollars.js';
import type { PriceTable } from './money/prices.js';
import type { AdmitRequest, Dimension, May, RequestFacts, Subject, Whom } from './request.js';
import type { Store } from './store/store.js';

export interface AdmitOptions {
  /**
   * Aborts the admission's own signal too. Where it has aborted already, or does while the request waits in the line, `admit`
   * rejects with its reason and nothing is charged.
   */
  signal?: AbortSignal | undefined;
  /**
   * An open admission to be changed to this request's facts and cost, rather than charging a second one: what it lacks
   * is charged, what it has too much is given back. When refused, all of it is given back, unless it has drawn: then it is
   * settled as failed. It never waits.
   */
  extending?: Admission | undefined;
  /**
   * What will be sent to the provider, in the shape of OpenAI, Anthropic or Gemini. The tokens that the request's
   * `estimate` leaves out are estimated from it; nothing of it is kept.
   */
  body?: unknown;
  /**
   * The request's model was left to whoever asks. Where dollars count, it then has to name one or say its `usd`, unless what is
   * not named has a price: it would be free of them where nothing tells its tokens.
   */
  needsModel?: boolean | undefined;
  /** The decision tells how the limits stand after it, as refusals always do, where that is known at once. */
  layers?: boolean | undefined;
}

/** What would become of a request. */
export interface Explanation {
  readonly admitted: boolean;
  /** The model that would serve it. */
  readonly model: string | undefined;
  /** The name of the way that would serve it; `undefined` where it offers none. */
  readonly way: string | undefined;
  /** Every limit and budget that the request would meet. */
  readonly layers: readonly LayerState[];
  /** `undefined` where it would be admitted, or wait. */
  readonly refusal: Refusal | undefined;
  /**
   * Where it would have to wait in the line first: which it would be, from 1, and for how many milliseconds, about, as far as
   * that is known. Whether the line has room for it, or its priority is shed, is another question.
   */
  readonly waits: { readonly position: number; readonly expectedWaitMs: number | undefined } | undefined;
}

/** How a gate stands. */
export interface Inspection {
  readonly limits: readonly LayerState[];
  readonly budgets: readonly BudgetState[];
  /** What requests use against what they were estimated to use, by feature and model. */
  readonly estimates: readonly EstimateState[];
  /** All that wait, whoever they are; `undefined` where the gate has no line. */
  readonly line: LineState | undefined;
}

/** The models of ladders and prices. Any, where there are none or where such as are not named have a price too. */
export type KnownModel<Model extends string> = [Model] extends [never]
  ? string
  : 'default' extends Model
    ? string
    : keyof PriceTable extends Model
      ? string
      : Model;

export interface Tollgate<
  Tier extends string = string,
  LimitName extends string = string,
  Feature extends string = string,
  Model extends string = string,
> {
  readonly name: string;
  /** Where it keeps usage: a further gate may keep its own there too, and close it likewise. */
  readonly store: Store;
  readonly clock: Clock;
  /** As they are configured, with what has been changed since. */
  readonly limits: readonly Limit[];
  readonly budgets: readonly Budget[];
  /** What its limits count by. */
  readonly dimensions: ReadonlySet<Dimension>;
  /** The names of its tiers, as they are now. */
  readonly tiers: ReadonlySet<Tier>;
  /** The models of its ladders. */
  readonly ladderModels: ReadonlySet<string>;
  /** It counts tokens or dollars, so what a request's body says of them matters. */
  readonly countsTokens: boolean;
  /** Requests may wait: those that come are decided on later, and have to be told when whoever asked has gone. */
  readonly hasLine: boolean;
  /**
   * Decides on a request: all its charges are made, or none and the decision says why.
   *
   * Where the gate has a line, a request may wait in it first. What it is charged is charged when it begins.
   *
   * @throws TollgateError for a request that can't be judged: an unknown tier, plan or feature, a model without a price, a
   *   subject or cost that is none
   */
  admit(request: AdmitRequest<Tier, Feature, Model>, options?: AdmitOptions): Promise<Decision>;
  /** What `admit` promises, at once where it need not be awaited. Throws what `admit` rejects with. */
  decide(request: AdmitRequest<Tier, Feature, Model>, options?: AdmitOptions): May<Decision>;
  /**
   * Takes up an admission that was handed over, by a gate of the same name in whatever process: to be extended, and settled.
   * Of its request there is what limits count, and of its subject the plan. What it cost is priced by this gate's prices,
   * as of when it was admitted. Rejects where the store fails.
   *
   * @param id as `Admission.handOver` gave it. It is no secret, and proves nothing of who has it
   * @throws TollgateError `TOLLGATE_ADMISSION_SETTLED` where it has been settled, `TOLLGATE_ADMISSION_UNKNOWN` where its
   *   time is over or no such was handed over, `TOLLGATE_REQUEST_INVALID` for what is no id, `TOLLGATE_NOT_KEPT`
   */
  resume(id: string): Promise<Admission>;
  /**
   * How the limits and budgets stand that count this subject: those whose dimensions are all given. Rejects where the
   * store fails.
   *
   * @throws TollgateError `TOLLGATE_REQUEST_INVALID` for a subject that is none
   */
  inspect(subject: Subject, facts?: RequestFacts): Promise<Inspection>;
  /**
   * Which limits and budgets a request would meet, how much room they have, and why it would be refused. Charges nothing.
   * Rejects where the store fails, and with what `admit` throws.
   */
  explain(request: AdmitRequest<Tier, Feature, Model>, options?: Pick<AdmitOptions, 'body'>): Promise<Explanation>;
  /**
   * Gives somebody's budget more room until its period ends: `topUp('user', { user: 'u1' }, '$2')`. Where the budget goes
   * by plan, `whom` needs the plan too. It has that room in all processes that share the store, within about a second, also
   * in those that start later.
   *
   * Rejects where the store fails: the room may have been given all the same. `inspect` before you try again, since each call
   * gives anew.
   *
   * @throws TollgateError `TOLLGATE_UNKNOWN_BUDGET`; `TOLLGATE_REQUEST_INVALID` where it isn't said whose, or for no amount
   */
  topUp(budget: LimitName, whom: Whom, amount: Money): Promise<BudgetState>;
  /**
   * Gives somebody's budget as much room as has been used of it, with what is held for open admissions: they begin anew.
   * What those give back later comes on top. What was spent stays on the books.
   *
   * @throws TollgateError as `topUp` does
   */
  resetBudget(budget: LimitName, whom: Whom): Promise<BudgetState>;
  /**
   * Changes limits, budgets, tiers, prices and the line from now on. Usage is kept, and those that wait keep their places,
   * prices and deadlines, and begin by the limits that hold then; open admissions keep what they were charged, and
   * are extended and settled by the prices that they were admitted at.
   *
   * Gates of the same name in other processes that share the store follow within about a second, and where several are
   * changed at once all end alike. A change with a function or an instance of a class in it, such as a price table, can't be
   * told: it is one of this process alone, with a warning. A process that starts later goes by its own configuration.
   *
   * @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem, also for what can't change; nothing is changed then
   */
  update(change: TollgateChange<Tier, LimitName>): void;
  /** Tells who listens to `key.refused`: a gate knows nothing of keys, so whoever asks for them says it. */
  keyRefused(refused: Omit<TollgateEvents['key.refused'], 'gate'>): void;
  /** Calls `listener` at each such event. Returns what ends that, safe to call twice. */
  on: Emitter['on'];
  /**
   * Admits nothing from now on, nor what waits (its `admit` rejects with `TOLLGATE_CLOSED`, its client is answered a 503), and
   * closes the store.
   */
  close(): Promise<void>;
}
