/** Anthropic's messages. */
import { isRecord } from '@tollgate/core/options';
import type { StreamReader, Usage } from './format.js';
import { orOpenai } from './or-openai.js';
import { streamReader, textCounter } from './stream-text.js';
import { count, type Fields, fields, parsed, text, usageOf } from './values.js';

const PATH = /(?:^|\/)messages\/?$/i;

const ERROR_TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  529: 'overloaded_error',
};

export const anthropicFormat = orOpenai({
  name: 'anthropic',

  read(path, body) {
    if (!PATH.test(path) || body === undefined) return undefined;
    const { model, stream } = fields(body);
    return { operation: 'messages', model: text(model), stream: stream === true };
  },

  withModel: (path, body, model) => ({ path, body: isRecord(body) ? { ...body, model } : body }),

  askingForUsage: (_call, body) => ({ body, isOurs: false }),

  usage(_call, answer) {
    const { usage, model } = fields(answer);
    return usageFrom(fields(usage), model);
  },

  reader: messageReader,

  refusal({ status, title, detail }) {
    const type = ERROR_TYPES[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error');
    return { type: 'error', error: { type, message: `${title}: ${detail}` } };
  },
});

/** What is read from the cache or written to it comes on top of `input_tokens`. */
function usageFrom(usage: Fields, model: unknown): Usage | undefined {
  const fresh = count(usage.input_tokens);
  const cached = count(usage.cache_read_input_tokens) ?? 0;
  const cacheWrite = count(usage.cache_creation_input_tokens) ?? 0;
  return usageOf({
    input: fresh === undefined ? undefined : fresh + cached + cacheWrite,
    cached,
    cacheWrite,
    output: count(usage.output_tokens),
    model,
  });
}

/** The first event tells of the prompt; each that tells more holds instead, field by field. */
function messageReader(): StreamReader {
  const output = textCounter(['text', 'thinking', 'partial_json']);
  let told: Fields = {};
  let model: unknown;
  return streamReader(output, (data, reader) => {
    if (/"type"\s*:\s*"content_block_delta"/.test(data)) output.addFrom(data);
    else if (/"type"\s*:\s*"content_block_start"/.test(data)) {
      if (/"type"\s*:\s*"(?:server_)?tool_use"/.test(data)) output.addCall();
    } else if (/"type"\s*:\s*"(?:message_(?:start|delta|stop)|error)"/.test(data)) {
      const event = fields(parsed(data));
      const message = fields(event.message);
      model ??= message.model;
      told = { ...told, ...countsIn(message.usage), ...countsIn(event.usage) };
      reader.usage = usageFrom(told, model);
      reader.isComplete ||= event.type === 'message_stop' || typeof fields(event.delta).stop_reason === 'string';
      reader.error = event.error ?? reader.error;
    }
    return true;
  });
}

/** What is left out, or can't be, leaves what was told before. */
function countsIn(usage: unknown): Fields {
  return Object.fromEntries(Object.entries(fields(usage)).filter(([, value]) => count(value) !== undefined));
}
