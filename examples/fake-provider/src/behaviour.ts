/** How a provider behaves, and what it knows of the calls that it got. */
import type { Answer } from './answers.js';
import type { Usage } from './bill.js';
import type { Body, Call, Trouble } from './formats/format.js';

/** A call with the key that it came with. */
export interface KeyedCall extends Call {
  readonly key: string;
}

/** What goes wrong with a call. Without a `status` the connection breaks. */
export interface Fault extends Partial<Trouble> {
  /** Tokens of the answer's stream after which it happens; at once, and for nothing, unless given. */
  readonly afterTokens?: number | undefined;
}

/** What became of a call. */
export interface CallRecord extends KeyedCall {
  readonly id: string;
  readonly body: Body;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** `undefined` where there was no answer at all. */
  status: number | undefined;
  /** `left`: the client did not wait for the end of a stream. */
  end: 'open' | 'whole' | 'refused' | 'broken' | 'left';
  /** What was generated. */
  usage: Usage;
  /** What that costs, in nano-dollars. */
  bill: bigint;
}

/** How a provider behaves: to be changed at any time. */
export interface Behaviour {
  /** The keys that are valid. */
  readonly keys: Set<string>;
  /** What goes wrong; nothing unless this says so. */
  fault(call: KeyedCall): Fault | undefined;
  answer(call: KeyedCall, random: () => number): Answer;
  /** Milliseconds until an answer begins, and then for each token. */
  latencyMs: number;
  tokenMs: number;
}
