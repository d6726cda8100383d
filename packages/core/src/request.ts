/** What a gate is asked, in the words of the design: subject, dimensions, estimate. */

/**
 * On whose behalf a request comes. An app adds dimensions of its own by augmentation:
 * `declare module '@tollgate/core' { interface Subject { region?: string } }`.
 */
export interface Subject {
  user?: string | number | undefined;
  tenant?: string | number | undefined;
  /** The id of an API key, never the key itself. */
  key?: string | number | undefined;
  /** Chooses the limit where limits are given by plan. */
  plan?: string | undefined;
  ip?: string | undefined;
}

/** The dimensions that belong to the request rather than to its subject. */
export interface RequestFacts {
  feature?: string | undefined;
  route?: string | undefined;
  model?: string | undefined;
  provider?: string | undefined;
}

/** What a limit can be counted by. */
export type Dimension = keyof Subject | keyof RequestFacts;

/** How urgent a request is. */
export type Priority = 'interactive' | 'standard' | 'batch' | 'background';

/** Tokens that a request is expected to use, or did use. Each a number from 0 to 2⁵³ − 1. */
export interface TokenCounts {
  inputTokens?: number | undefined;
  outputTokens?: number | undefined;
}

/** What a request costs, in each unit. */
export interface Cost {
  readonly requests: number;
  readonly permits: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** What a request asks to be admitted for. `tier` or `permits` says what it costs; `permits` goes first. */
export interface AdmitRequest<Tier extends string = string, Feature extends string = string> extends RequestFacts {
  subject?: Subject | undefined;
  tier?: Tier | undefined;
  permits?: number | undefined;
  feature?: Feature | undefined;
  priority?: Priority | undefined;
  /** Tokens it will use, as well as is known; settling puts the actual number in its place. */
  estimate?: TokenCounts | undefined;
}

/** A value now or a promise of it: what is known at once need not be awaited. */
export type May<T> = T | Promise<T>;

/** Goes on with a value: at once where it is there, later where it is promised. Promises cost more than decisions. */
export function then<T, U>(value: May<T>, next: (value: T) => May<U>): May<U> {
  return isPromise(value) ? Promise.resolve(value).then(next) : next(value);
}

/** Any thenable: apps have promises of many makes. */
export function isPromise<T>(value: May<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
