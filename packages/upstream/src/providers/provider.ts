/** What has to be known of a provider. Each has a file of its own here; a user's own one is made likewise. */
import type { TokenCounts } from '@tollgate/core';
import type { WireFormat } from '../formats/format.js';
import type { KeyOptions } from '../keys/key.js';

export const UNITS = ['requests', 'tokens', 'inputTokens', 'outputTokens'] as const;
export const WINDOWS = ['second', 'minute', 'day'] as const;

/** What providers limit. Most count either all tokens, or those of the prompt and of the answer apart. */
export type HeadroomUnit = (typeof UNITS)[number];

/** By what time they count it. */
export type HeadroomWindow = (typeof WINDOWS)[number];

/** What an answer says of a limit. What it doesn't say is left out: unknown is not zero. */
export interface Reading {
  readonly unit: HeadroomUnit;
  readonly window: HeadroomWindow;
  readonly limit?: number | undefined;
  readonly remaining?: number | undefined;
}

/** Why an answer is none, as far as it matters to who asks next. Delays are in milliseconds, from 0 to a day. */
export type Failure =
  /** The key has used up a limit. */
  | {
      readonly kind: 'throttled';
      /** Milliseconds until it is worth asking again; `undefined`: the provider doesn't say. */
      readonly retryAfterMs?: number | undefined;
      /** The limit is one of all models of the key, as far as is known; else of the model's family alone. */
      readonly ofKey?: boolean | undefined;
      /** The load has grown too fast, rather than too much. */
      readonly tooSteep?: boolean | undefined;
    }
  /** Nothing more can be had with this key, for a time or until somebody pays: a spend limit, no credit, a daily quota. */
  | {
      readonly kind: 'exhausted';
      readonly retryAfterMs?: number | undefined;
      /** It is the model's family alone that can't be had with it. */
      readonly ofFamily?: boolean | undefined;
    }
  /** The key is wrong, or has been revoked. */
  | { readonly kind: 'unauthorized' }
  /** The key is right, but isn't allowed this, such as a model. Another key may be; this one serves for other requests. */
  | { readonly kind: 'forbidden' }
  /** The provider as a whole has no room (503, 529), or is broken (other 5xx). */
  | { readonly kind: 'overloaded'; readonly retryAfterMs?: number | undefined }
  | { readonly kind: 'broken'; readonly retryAfterMs?: number | undefined };

/** An answer as far as headers and failures are read from it. */
export interface Answer {
  /** Of an error that a stream tells of once it has begun, the 200 that it began with. */
  readonly status: number;
  readonly headers: Headers;
  /** Of an error, what its body says: JSON if it is some, else text. Of other answers `undefined`. */
  readonly body: unknown;
}

/** Limits in numbers, by unit and window: `{ minute: { requests: 500, tokens: 200_000 } }`. */
export type Limits = { readonly [W in HeadroomWindow]?: { readonly [U in HeadroomUnit]?: number } };

export interface Provider {
  /** Unique in an upstream; stands in events and refusals. */
  readonly name: string;
  /** How it is spoken to. Providers stand in for each other where this is the same. */
  readonly format: WireFormat;
  /** Requests for URLs below it are sent by this provider's keys, such as `https://api.openai.com/v1`. */
  readonly baseUrl: string;
  readonly keys: readonly KeyOptions[];
  /** Known limits of each key, by {@link family}, or `default` for all others. What is left out is learned from answers. */
  readonly limits?: { readonly [family: string]: Limits } | undefined;
  /** The models that share limits with this one: what to count them by. */
  family(model: string): string;
  /**
   * Puts the key into a request, in place of what is there: both headers and URL are changed. Its `header` is one of its own
   * for keys, which goes to no provider that stands in for this one.
   */
  readonly authorize: ((headers: Headers, secret: string, url: URL) => void) & { readonly header?: string };
  /** What an answer says of the limits. */
  readings(answer: Answer, now: number): readonly Reading[];
  /** `undefined` for an answer that says nothing of key or provider: a success, or the caller's own mistake. */
  failure(answer: Answer, now: number): Failure | undefined;
  /** Dollars that answers tell are what will be billed. Others don't know, and say 0: prices hold unless given. */
  readonly tellsCost?: boolean | undefined;
  /** What an answer has cost, where the headers say so rather than the body. */
  readonly usage?: ((answer: Answer) => TokenCounts | undefined) | undefined;
}
