/** OpenAI's chat completions, responses, completions and embeddings, and what is compatible with them. */
import { isRecord } from '@tollgate/core/options';
import type { CallRefusal, StreamReader, WireFormat } from './format.js';
import { openaiUsage } from './openai-usage.js';
import { streamReader, textCounter } from './stream-text.js';
import { decoded, fields, list, parsed, text } from './values.js';

/** Azure may name the deployment in the path, which then goes before the model in the body. */
const PATH = /(?:^|\/)(?:deployments\/([^/]+)\/)?(chat\/completions|completions|responses|embeddings)\/?$/i;

export const openaiFormat: WireFormat = {
  name: 'openai',

  read(path, body) {
    const [, deployment, name] = PATH.exec(path) ?? [];
    if (name === undefined || body === undefined) return undefined;
    const { model, stream } = fields(body);
    const operation = name.toLowerCase();
    return {
      operation: operation === 'chat/completions' ? 'chat' : operation,
      model: deployment === undefined ? text(model) : decoded(deployment),
      stream: stream === true,
    };
  },

  withModel(path, body, model) {
    return {
      path: path.replace(/\bdeployments\/[^/]+/i, `deployments/${encodeURIComponent(model)}`),
      body: isRecord(body) ? { ...body, model } : body,
    };
  },

  askingForUsage(call, body) {
    const { stream_options } = fields(body);
    const options = fields(stream_options);
    const isTold = !call.stream || (call.operation !== 'chat' && call.operation !== 'completions');
    if (isTold || options.include_usage === true) return { body, isOurs: false };
    return { body: { ...fields(body), stream_options: { ...options, include_usage: true } }, isOurs: true };
  },

  usage({ operation }, answer) {
    const usage = openaiUsage(answer);
    return usage && operation === 'embeddings' ? { ...usage, outputTokens: 0 } : usage;
  },

  reader: (call, asked) => (call.operation === 'responses' ? responsesReader() : chunksReader(call.operation, asked)),

  refusal({ status, title, detail }) {
    return { error: { message: `${title}: ${detail}`, type: typeOf(status), param: null, code: 'tollgate_refused' } };
  },
};

/** The members of a chunk that hold what the model has said. */
const CHUNK_TEXTS = {
  chat: ['content', 'reasoning_content', 'reasoning', 'refusal', 'name', 'arguments'],
  completions: ['text'],
};

/** Chat completions, and the completions before them. */
function chunksReader(operation: string, asked: boolean): StreamReader {
  const output = textCounter(CHUNK_TEXTS[operation === 'completions' ? operation : 'chat']);
  return streamReader(output, (data, reader) => {
    if (data === '[DONE]') reader.isComplete = true;
    output.addFrom(data);
    // Chunks before the last may say that usage is null.
    if (!/"(?:usage|error)"\s*:\s*[{"]/.test(data)) return true;
    const chunk = fields(parsed(data));
    const choices = list(chunk.choices);
    reader.error = chunk.error ?? reader.error;
    reader.usage = openaiUsage(chunk) ?? reader.usage;
    const isOfAll = isRecord(chunk.usage) && Array.isArray(chunk.choices) && choices.length === 0;
    // Of several answers at once others may follow what one of them has used.
    reader.isComplete ||= isOfAll && reader.usage !== undefined;
    return asked || !isOfAll;
  });
}

function responsesReader(): StreamReader {
  const output = textCounter(['delta']);
  return streamReader(output, (data, reader) => {
    if (/"type"\s*:\s*"response\.(?!audio\.)[a-z_.]+\.delta"/.test(data)) output.addFrom(data);
    else if (/"type"\s*:\s*"response\.output_item\.added"/.test(data)) {
      if (/"type"\s*:\s*"[a-z_]+_call"/.test(data)) output.addCall();
    } else if (/"type"\s*:\s*"(?:response\.(?:completed|incomplete|failed)|error)"/.test(data)) {
      const event = fields(parsed(data));
      const response = fields(event.response);
      reader.error = event.type === 'error' ? event : (response.error ?? reader.error);
      reader.usage = openaiUsage(response) ?? reader.usage;
      reader.isComplete = true;
    }
    return true;
  });
}

function typeOf(status: CallRefusal['status']): string {
  if (status === 402) return 'insufficient_quota';
  if (status === 429) return 'rate_limit_exceeded';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}
