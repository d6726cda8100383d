/** Bedrock's InvokeModel and Converse. Requests are signed by who sends them, so nothing of them is changed. */
import { anthropicFormat } from './anthropic.js';
import type { StreamReader, WireFormat } from './format.js';
import { count, decoded, fields, usageOf } from './values.js';

const PATH = /(?:^|\/)model\/([^/]+)\/(invoke|converse)(-with-response-stream|-stream)?\/?$/i;

/** Streams are binary, and pass unread. */
const UNREAD: StreamReader = {
  event: () => true,
  usage: undefined,
  isComplete: false,
  outputTokens: 0,
  error: undefined,
};

export const bedrockFormat: WireFormat = {
  name: 'bedrock',

  read(path) {
    const [, model, operation, stream] = PATH.exec(path) ?? [];
    return model === undefined
      ? undefined
      : { operation: operation.toLowerCase(), model: decoded(model), stream: stream !== undefined };
  },

  withModel: (path, body) => ({ path, body }),

  askingForUsage: (_call, body) => ({ body, isOurs: false }),

  /** What is read from the cache or written to it comes on top of `inputTokens`. Claude's own answers tell as Anthropic's do. */
  usage(call, answer) {
    if (call.operation !== 'converse') return anthropicFormat.usage(call, answer);
    const usage = fields(fields(answer).usage);
    const fresh = count(usage.inputTokens);
    const cached = count(usage.cacheReadInputTokens) ?? 0;
    const cacheWrite = count(usage.cacheWriteInputTokens) ?? 0;
    const input = fresh === undefined ? undefined : fresh + cached + cacheWrite;
    return usageOf({ input, cached, cacheWrite, output: count(usage.outputTokens) });
  },

  reader: () => UNREAD,

  refusal: ({ title, detail }) => ({ message: `${title}: ${detail}` }),
};
