/** A gate, as those who hold one see it. `tollgate.ts` makes it. */
import type { Admission, Decision } from './admission.js';
import type { TollgateChange } from './config.js';
import type { Emitter } from './events.js';
import type { Refusal } from './http/problem.js';
import type { LayerState } from './meters/layer-state.js';
import type { AdmitRequest, Dimension, May, RequestFacts, Subject } from './request.js';

export interface AdmitOptions {
  /** Aborts the admission's own signal too. Where it has aborted already, `admit` rejects with its reason. */
  signal?: AbortSignal | undefined;
  /**
   * An open admission to be changed to this request's facts and cost, rather than charging a second one: what it lacks
   * is charged, what it has too much is given back. When refused, all of it is given back.
   */
  extending?: Admission | undefined;
}

/** What would become of a request. */
export interface Explanation {
  readonly admitted: boolean;
  /** Every limit that the request would meet. */
  readonly layers: readonly LayerState[];
  /** `undefined` where it would be admitted. */
  readonly refusal: Refusal | undefined;
}

export interface Tollgate<
  Tier extends string = string,
  LimitName extends string = string,
  Feature extends string = string,
> {
  readonly name: string;
  /** What its limits count by. */
  readonly dimensions: ReadonlySet<Dimension>;
  /**
   * Decides on a request: all its charges are made, or none and the decision says why.
   *
   * @throws TollgateError for a request that can't be judged: an unknown tier, plan or feature, a cost that is none
   */
  admit(request: AdmitRequest<Tier, Feature>, options?: AdmitOptions): Promise<Decision>;
  /** What `admit` promises, at once where it need not be awaited. Throws what `admit` rejects with. */
  decide(request: AdmitRequest<Tier, Feature>, options?: AdmitOptions): May<Decision>;
  /** How the limits stand that count this subject: those whose dimensions are all given. */
  inspect(subject: Subject, facts?: RequestFacts): Promise<readonly LayerState[]>;
  /** Which limits a request would meet, how much room they have, and why it would be refused. Charges nothing. */
  explain(request: AdmitRequest<Tier, Feature>): Promise<Explanation>;
  /**
   * Changes limits and tiers from now on. Usage is kept; open admissions keep what they were charged.
   *
   * @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem, also for what can't change; nothing is changed then
   */
  update(change: TollgateChange<Tier, LimitName>): void;
  /** Calls `listener` at each such event. Returns what ends that, safe to call twice. */
  on: Emitter['on'];
  /** Admits nothing from now on and closes the store. */
  close(): Promise<void>;
}
