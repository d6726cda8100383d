/** Reads the JSON of an answer once all of it has passed, and of a long one only its end. */
import { parsed } from '../formats/values.js';

/** Characters of the end that are kept at least. */
const KEPT = 2 ** 16;

export interface AnswerReader {
  push(text: string): void;
  /** All of a short answer; of a longer one the members from the usage on. `undefined` for what is no JSON. */
  answer(): unknown;
}

export function answerReader(): AnswerReader {
  let end = '';
  let isCut = false;
  return {
    push(text) {
      end += text;
      if (end.length <= 2 * KEPT) return;
      end = end.slice(-KEPT);
      isCut = true;
    },
    answer: () => (isCut ? membersFromUsage(end) : parsed(end.replace(/^\ufeff/, ''))),
  };
}

/** What follows a member of the answer itself is an object but for its first brace; inside others too many braces follow. */
function membersFromUsage(end: string): unknown {
  for (const { index } of end.matchAll(/"usage(?:Metadata)?"\s*:/g)) {
    const members = parsed(`{${end.slice(index)}`);
    if (members !== undefined) return members;
  }
  return undefined;
}
