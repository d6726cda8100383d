/** Reads the JSON of an answer once all of it has passed, and of a long one only its start and its end. */
import { fields, parsed } from '../formats/values.js';

/** Characters of each that are kept at least. */
const KEPT = 2 ** 16;

export interface AnswerReader {
  push(text: string): void;
  /**
   * All of a short answer; of a long one its first members, and the last ones from the usage on. `undefined` for what is no
   * JSON.
   */
  answer(): unknown;
}

export function answerReader(): AnswerReader {
  /** Of a long answer. */
  let start: string | undefined;
  let end = '';
  return {
    push(text) {
      end += text;
      if (end.length <= 2 * KEPT) return;
      start ??= end.slice(0, KEPT);
      end = end.slice(-KEPT);
    },
    answer() {
      return start === undefined ? parsed(end) : { ...fields(membersBefore(start)), ...fields(membersFromUsage(end)) };
    },
  };
}

/** The members of the answer itself that are whole. */
function membersBefore(start: string): unknown {
  let depth = 0;
  let whole = 0;
  for (const { 0: token, index } of start.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"?|[{}[\],]/gs)) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (token === ',' && depth === 1) whole = index;
  }
  return parsed(`${start.slice(0, whole)}}`);
}

/** What follows a member of the answer itself is an object but for its first brace; inside others too many braces follow. */
function membersFromUsage(end: string): unknown {
  for (const { index } of end.matchAll(/"usage(?:Metadata)?"\s*:/g)) {
    const members = parsed(`{${end.slice(index)}`);
    if (members !== undefined) return members;
  }
  return undefined;
}
