/** What is asked of the meters: a request as one of the models that may serve it would be charged for it. */
import type { AdmitRequest, Cost, Subject } from '../request.js';

/** A model that a request may be served by. */
export interface Rung {
  readonly model: string | undefined;
  /** In its ladder, from the best; 0 where it is in none. */
  readonly index: number;
  /** There is no cheaper one to turn to, so it may use budgets as a whole. */
  readonly last: boolean;
}

export interface Asked {
  readonly request: AdmitRequest;
  readonly subject: Subject;
  readonly rung: Rung;
  readonly cost: Cost;
  /** The gate's time, in milliseconds since 1970. */
  readonly now: number;
}
