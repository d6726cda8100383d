/** What readers of streams share: they count the tokens of what passes without parsing the events that it passes in. */
import type { StreamReader } from './format.js';
import { tokenCounter } from './token-counter.js';
import { parsed, text } from './values.js';

/** A reader to those who make it. */
export type WritableReader = { -readonly [K in keyof StreamReader]: StreamReader[K] };

export interface TextCounter {
  /**
   * Counts what the members of these names hold, wherever they stand in the JSON. The same under two names counts once,
   * and a `name` begins a call.
   */
  addFrom(json: string): void;
  add(text: string): void;
  /** A call of a tool begins: models write more around it than its name and arguments, which providers don't show. */
  addCall(): void;
  readonly tokens: number;
}

/** Tokens around the name and the arguments of a call: less than most models write. */
const CALL_TOKENS = 4;

/** A piece of text is a token at least: some providers send each token by itself. */
export function textCounter(names: readonly string[] = []): TextCounter {
  const strings = new RegExp(`"(${names.join('|')})"\\s*:\\s*"((?:[^"\\\\]|\\\\.)*)"`, 'g');
  const counter = tokenCounter();
  let pieces = 0;
  let calls = 0;
  function add(piece: string): void {
    if (piece === '') return;
    pieces++;
    counter.add(piece);
  }
  return {
    add,
    addFrom(json) {
      strings.lastIndex = 0;
      let last = '';
      for (let found = strings.exec(json); found !== null; found = strings.exec(json)) {
        const [, name, string] = found;
        if (name === 'name') calls++;
        if (string !== last) add(string.includes('\\') ? text(parsed(`"${string}"`)) : string);
        last = string;
      }
    },
    addCall() {
      calls++;
    },
    get tokens() {
      return Math.max(counter.tokens, pieces) + calls * CALL_TOKENS;
    },
  };
}

/**
 * A reader that has been told of nothing yet.
 *
 * @param event takes an event, and puts down in the reader what it tells
 */
export function streamReader(
  output: TextCounter,
  event: (data: string, reader: WritableReader) => boolean,
): StreamReader {
  const reader: WritableReader = {
    usage: undefined,
    isComplete: false,
    error: undefined,
    get outputTokens() {
      return output.tokens;
    },
    event: (data) => event(data, reader),
  };
  return reader;
}
