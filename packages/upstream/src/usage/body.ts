/** Chooses how to read a body, by what it says it is. */
import { StringDecoder } from 'node:string_decoder';
import { isRecord } from '@tollgate/core/options';
import type { Call, Usage, WireFormat } from '../formats/format.js';
import { fields } from '../formats/values.js';
import { answerReader } from './answer.js';
import { elementReader } from './elements.js';
import { eventPassage } from './events.js';
import { NOTHING, type Passage, UNREAD } from './passage.js';

/** @param asked see {@link WireFormat.reader} */
export function passageOf(contentType: string, format: WireFormat, call: Call, asked: boolean): Passage {
  if (/\bevent-stream\b/i.test(contentType)) return streamPassage(format, call, asked);
  if (/\bjson\b/i.test(contentType)) return jsonPassage(format, call);
  return UNREAD;
}

function streamPassage(format: WireFormat, call: Call, asked: boolean): Passage {
  const reader = format.reader(call, asked);
  const { push, end } = eventPassage((data) => reader.event(data), !asked);
  return {
    push,
    end,
    get usage() {
      return reader.usage;
    },
    get isComplete() {
      return reader.isComplete;
    },
    get outputTokens() {
      return reader.outputTokens;
    },
    get error() {
      return reader.error;
    },
  };
}

/** An answer as a whole, or the list that a stream can be instead of events. */
function jsonPassage(format: WireFormat, call: Call): Passage {
  const whole = answerReader();
  const reader = call.stream ? format.reader(call, true) : undefined;
  const addElements = reader && elementReader((json) => reader.event(json));
  const decoder = new StringDecoder();
  let usage: Usage | undefined;
  let error: unknown;
  function add(text: string): void {
    whole.push(text);
    addElements?.(text);
  }
  return {
    push(chunk) {
      add(decoder.write(chunk));
      return chunk;
    },
    end() {
      add(decoder.end());
      const answer = whole.answer();
      usage = format.usage(call, answer);
      error = errorIn(answer);
      return NOTHING;
    },
    get usage() {
      return usage ?? reader?.usage;
    },
    get isComplete() {
      return usage !== undefined || reader?.isComplete === true;
    },
    get outputTokens() {
      return reader?.outputTokens ?? 0;
    },
    get error() {
      return error ?? reader?.error;
    },
  };
}

/** Some providers answer 200 before they know that they fail, and say so in the body. */
function errorIn(answer: unknown): unknown {
  const { error } = fields(answer);
  return isRecord(error) ? error : undefined;
}
