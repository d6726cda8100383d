/** A wire format: how a request says what it wants, how an answer says what that has cost, and how one is refused. */
import type { Money, TokenCounts } from '@tollgate/core';

/** What a request asks for, as far as it matters here. */
export interface Call {
  /** Such as `chat`, `responses`, `messages`, `generateContent`, `embeddings`. */
  readonly operation: string;
  /** Empty where the request names none. */
  readonly model: string;
  readonly stream: boolean;
}

/** What costs no tokens, as far as anybody knows. */
export const NO_TOKENS = { inputTokens: 0, outputTokens: 0 };

/** Usage as an answer tells it: in Tollgate's terms, whole prompt and whole answer. */
export interface Usage extends TokenCounts {
  /** The model that did serve it, where the answer says. */
  readonly model?: string | undefined;
  /** What it cost, where the provider says so. */
  readonly usd?: Money | undefined;
}

/** Reads usage from the events of a stream as they pass. One is made for each stream. */
export interface StreamReader {
  /**
   * Takes the next event: the text of its `data` lines. Returns false for an event that the client didn't ask for, and is not
   * to see.
   */
  event(data: string): boolean;
  /** What is known of the usage by now. */
  readonly usage: Usage | undefined;
  /** True once nothing that follows can change it: a client that leaves now leaves nothing unknown. */
  readonly isComplete: boolean;
  /** Tokens of the text, reasoning and arguments that have passed, by estimate: for where usage isn't told. */
  readonly outputTokens: number;
  /** An error that the stream itself told of, as JSON. */
  readonly error: unknown;
}

/** Why a call is refused before it is sent, in words that SDKs show. */
export interface CallRefusal {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
}

/** How a request asks for its usage. */
export interface Asking {
  /** JSON; the same object if nothing has to be changed. */
  readonly body: unknown;
  /** It asks and the client hasn't, so the client isn't shown the usage. */
  readonly isOurs: boolean;
}

export interface WireFormat {
  readonly name: string;
  /**
   * What is asked for at a path below the provider's base URL; `undefined` for what this format doesn't know: that is passed on
   * as it is and not counted, and what would do more than read needs somebody to pay all the same.
   *
   * @param path with nothing escaped in it that needn't be, in whatever case
   * @param body JSON; an empty object for what is none
   */
  read(path: string, body: unknown): Call | undefined;
  /** The same request for another model. The body is a copy, changed in no other way. */
  withModel(path: string, body: unknown, model: string): { readonly path: string; readonly body: unknown };
  /** The request as it has to be sent for its usage to be told. */
  askingForUsage(call: Call, body: unknown): Asking;
  /** Usage in an answer that is no stream. */
  usage(call: Call, answer: unknown): Usage | undefined;
  /** @param asked the client itself has asked for usage in the stream, and is to see it */
  reader(call: Call, asked: boolean): StreamReader;
  /** The body of an error, as the provider itself would word it. */
  refusal(refusal: CallRefusal): unknown;
}
