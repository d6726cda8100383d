/** A wire format as a provider speaks it: how it reads requests, and how it words answers, errors and limits. */
import type { Answer } from '../answers.js';
import type { Usage } from '../bill.js';
import type { Standing } from '../limiters.js';

/** A request, as far as the provider cares. */
export interface Call {
  readonly operation: string;
  readonly model: string;
  readonly stream: boolean;
  readonly promptTokens: number;
  readonly maxTokens: number | undefined;
  /** The names of the tools that it may call. */
  readonly tools: readonly string[];
  /** The stream is to end with its usage, where that is for the client to say. */
  readonly wantsUsage: boolean;
}

/** The next step of a stream: tokens that are generated, and then, unless it is `undefined`, an event that is sent. */
export interface Step {
  readonly tokens: number;
  readonly event: string | undefined;
}

/** Why there is no answer. */
export interface Trouble {
  readonly status: number;
  /** In the provider's own words, such as `insufficient_quota` or `overloaded_error`; by the status unless given. */
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  /** Milliseconds; unless it is `undefined`, the client is told. */
  readonly retryAfterMs?: number | undefined;
}

export interface Format {
  /** Whose request it is; empty where it doesn't say. */
  keyOf(headers: Headers): string;
  /**
   * @param path without the version that it begins with
   * @returns `undefined` where there is nothing
   */
  read(path: string, body: Body): Call | undefined;
  whole(id: string, call: Call, answer: Answer, usage: Usage): unknown;
  stream(id: string, call: Call, answer: Answer, usage: Usage): Iterable<Step>;
  /** How a key is refused that isn't known: providers differ in the status. */
  readonly unknownKey: Trouble;
  error(trouble: Trouble, stream: boolean): unknown;
  /** An error amid a stream, as an event. */
  errorEvent(trouble: Trouble): string;
  headers(standings: readonly Standing[], now: number): Record<string, string>;
}

/** A request's JSON. */
// biome-ignore lint/suspicious/noExplicitAny: a fake takes a client at its word
export type Body = any;

/** An event as it goes over the wire. */
export function event(data: unknown, name?: string): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return `${name === undefined ? '' : `event: ${name}\n`}data: ${text}\n\n`;
}
