/** What a gate is asked, in the words of the design: subject, dimensions, estimate. */
import type { Money } from './money/nano-dollars.js';
import type { Duration } from './units.js';

/**
 * On whose behalf a request comes. An app adds dimensions of its own by augmentation:
 * `declare module '@tollgate/core' { interface Subject { region?: string } }`.
 */
export interface Subject {
  user?: string | number | bigint | undefined;
  tenant?: string | number | bigint | undefined;
  /** The id of an API key, never the key itself. */
  key?: string | number | bigint | undefined;
  /** Chooses the limit where limits are given by plan. */
  plan?: string | undefined;
  ip?: string | undefined;
  /** The cheapest model that this subject is served by, in the ladder that has it: one has to. No dimension. */
  floor?: string | undefined;
  /** `false`: this subject is served by the model asked for or not at all; no dimension. */
  degrade?: boolean | undefined;
  /** Limits of its own, by name, for limits that are functions of the subject; those of its API key. No dimension. */
  limits?: Readonly<Record<string, string | number>> | undefined;
}

/** The dimensions that belong to the request rather than to its subject. */
export interface RequestFacts {
  feature?: string | undefined;
  route?: string | undefined;
  model?: string | undefined;
  provider?: string | undefined;
}

/**
 * One way to serve a request, such as a provider with one of its keys. What it says goes before what the request says, in
 * what the request costs and whom it is charged to; of the subject field by field.
 */
export interface Way extends RequestFacts {
  /** Tells it from the other ways of a request. */
  name: string;
  subject?: Subject | undefined;
}

/** What a limit can be counted by. */
export type Dimension = Exclude<keyof Subject, 'floor' | 'degrade' | 'limits'> | keyof RequestFacts;

/** Whom a limit or budget counts, by its dimensions: `{ user: 'u1' }`, `{ tenant: 't1', feature: 'search' }`. */
export type Whom = Subject & RequestFacts;

/** How urgent a request is. In a gate with a line the more urgent begins first, and is shed last. */
export type Priority = 'interactive' | 'standard' | 'batch' | 'background';

/** Tokens that a request is expected to use, or did use. Each a number from 0 to 2⁵³ − 1. */
export interface TokenCounts {
  /** All of the prompt, cached or not. */
  inputTokens?: number | undefined;
  /** The part of `inputTokens` that was read from the provider's cache. */
  cachedInputTokens?: number | undefined;
  /** The part of `inputTokens` that was written to the provider's cache. */
  cacheWriteTokens?: number | undefined;
  /** All of the answer, reasoning included. */
  outputTokens?: number | undefined;
  /** The part of `outputTokens` that was reasoning. */
  reasoningTokens?: number | undefined;
}

/** What more work is expected to take. */
export interface Estimate extends TokenCounts {
  /** In dollars, where you know better than the price of its tokens. */
  usd?: Money | undefined;
}

/** What one call is expected to take, and the model to be called where that is not the admission's. */
export interface DrawEstimate extends Estimate {
  model?: string | undefined;
}

/** What a request costs, in each unit. */
export interface Cost {
  readonly requests: number;
  readonly permits: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Whole nano-dollars. */
  readonly usd: number;
  /** What it costs at most, as far as that is known: what budgets are charged that reserve the worst. */
  readonly worstUsd: number;
}

/** What a request asks to be admitted for. `tier` or `permits` says how many permits it costs, and one has to where they are counted; `permits` goes first. */
export interface AdmitRequest<
  Tier extends string = string,
  Feature extends string = string,
  Model extends string = string,
> extends RequestFacts {
  subject?: Subject | undefined;
  tier?: Tier | undefined;
  permits?: number | undefined;
  feature?: Feature | undefined;
  /** `standard` unless given. It means something where the gate has a line. */
  priority?: Priority | undefined;
  /** How long it waits in the line at most, where that is less than its priority may; `'0s'` is not at all. */
  maxWait?: Duration | undefined;
  /**
   * What becomes of it where its priority is shed: it is refused, or waits until it is served again, for as long as it may
   * wait. `refuse` unless given.
   */
  whenShed?: 'refuse' | 'delay' | undefined;
  /** The model to be served by, where there is room for it; else the next one of its ladder is tried. */
  model?: Model | undefined;
  /**
   * The cheapest model of the ladder that will do; the cheapest there is unless given. For a model in no ladder it means
   * nothing.
   */
  floor?: Model | undefined;
  /** `false`: the model asked for or none. */
  degrade?: boolean | undefined;
  /**
   * Ways to serve it, best first, in place of a ladder: the first of which everything fits is taken, and the admission names
   * it. Shares in the line go by the request's own subject.
   */
  ways?: readonly Way[] | undefined;
  /** Tokens it will use, as well as is known; settling puts the actual number in its place. */
  estimate?: TokenCounts | undefined;
  /** What it is expected to cost in dollars, where you know better than the price of its tokens. */
  usd?: Money | undefined;
}

/** What costs nothing. */
export const NOTHING: Cost = { requests: 0, permits: 0, inputTokens: 0, outputTokens: 0, usd: 0, worstUsd: 0 };

/** True for a dimension's value that says something. */
export function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

/** A value now or a promise of it: what is known at once need not be awaited. */
export type May<T> = T | Promise<T>;

/**
 * Goes on with a value: at once where it is there, later where it is promised. Promises cost more than decisions. (Not
 * `then`: a module that exports that is taken for a promise by whoever imports it with `import()`.)
 */
export function andThen<T, U>(value: May<T>, next: (value: T) => May<U>): May<U> {
  return isPromise(value) ? Promise.resolve(value).then(next) : next(value);
}

/** All of what may be promised: at once, where nothing is. */
export function together<T>(values: readonly May<T>[]): May<readonly T[]> {
  return values.some(isPromise) ? Promise.all(values) : (values as readonly T[]);
}

/** Any thenable: apps have promises of many makes. */
export function isPromise<T>(value: May<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
