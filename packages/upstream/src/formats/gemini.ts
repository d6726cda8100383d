/** Google's generateContent and embedContent, of Gemini's own API and of Vertex AI. */
import { isRecord } from '@tollgate/core/options';
import type { StreamReader, Usage } from './format.js';
import { orOpenai } from './or-openai.js';
import { textCounter, type WritableReader } from './stream-text.js';
import { count, decoded, type Fields, fields, list, parsed, usageOf } from './values.js';

const PATH = /(^|\/)([^/:]+):(generateContent|streamGenerateContent|embedContent|batchEmbedContents)\/?$/i;

const ERROR_STATUSES: Readonly<Record<number, string>> = {
  401: 'UNAUTHENTICATED',
  402: 'RESOURCE_EXHAUSTED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  503: 'UNAVAILABLE',
};

export const geminiFormat = orOpenai({
  name: 'gemini',

  read(path, body) {
    const [, , model, method] = PATH.exec(path) ?? [];
    if (model === undefined || body === undefined) return undefined;
    const isEmbedding = /embed/i.test(method);
    return {
      operation: isEmbedding ? 'embedContent' : 'generateContent',
      model: decoded(model),
      stream: /^stream/i.test(method),
    };
  },

  withModel(path, body, model) {
    return {
      path: path.replace(PATH, (_match, slash, _from, method) => `${slash}${encodeURIComponent(model)}:${method}`),
      body: naming(body, model),
    };
  },

  askingForUsage: (_call, body) => ({ body, isOurs: false }),

  usage({ operation }, answer) {
    // A stream that isn't one of events is a list.
    const usage = usageFrom(Array.isArray(answer) ? answer.at(-1) : answer);
    return usage && operation === 'embedContent' ? { ...usage, outputTokens: 0 } : usage;
  },

  reader: contentReader,

  refusal({ status, title, detail }) {
    const word = ERROR_STATUSES[status] ?? (status >= 500 ? 'INTERNAL' : 'INVALID_ARGUMENT');
    return { error: { code: status, message: `${title}: ${detail}`, status: word } };
  },
});

/** Requests to embed say in the body as well which model is meant. */
function naming(body: unknown, model: string): unknown {
  if (!isRecord(body)) return body;
  const named = 'model' in body ? { ...body, model: `models/${model}` } : body;
  const { requests } = named;
  return Array.isArray(requests) ? { ...named, requests: requests.map((one) => naming(one, model)) } : named;
}

/** Thoughts come on top of the candidates, and what tools have read on top of the prompt. */
function usageFrom(answer: unknown): Usage | undefined {
  const { usageMetadata, modelVersion, promptFeedback } = fields(answer);
  const usage = fields(usageMetadata);
  const prompt = count(usage.promptTokenCount);
  const candidates = count(usage.candidatesTokenCount ?? usage.responseTokenCount);
  const thoughts = count(usage.thoughtsTokenCount);
  const isUnknown = candidates === undefined && thoughts === undefined && !isBlocked(promptFeedback);
  return usageOf({
    input: prompt === undefined ? undefined : prompt + (count(usage.toolUsePromptTokenCount) ?? 0),
    cached: count(usage.cachedContentTokenCount),
    output: isUnknown ? undefined : (candidates ?? 0) + (thoughts ?? 0),
    reasoning: thoughts,
    model: modelVersion,
  });
}

/** Of a candidate that isn't the first. */
const INDEX = /"index"\s*:\s*([1-9]\d{0,8})/;
const INDICES = new RegExp(INDEX, 'g');

/** What is more than text and usage so far. */
const TELLING = /"(?:finishReason|blockReason|functionCall|error)"\s*:/;

/** Every event tells the usage so far, and is parsed only if somebody asks; the one that ends a candidate tells all of it. */
function contentReader(): StreamReader {
  const output = textCounter(['text']);
  let unread: string | undefined;
  let usage: Usage | undefined;
  /** Candidates, of which the first may go without its index: usage is that of all of them. */
  const begun = new Set([0]);
  const ended = new Set<unknown>();
  const reader: WritableReader = {
    get usage() {
      if (unread !== undefined) usage = usageFrom(parsed(unread)) ?? usage;
      unread = undefined;
      return usage;
    },
    isComplete: false,
    error: undefined,
    get outputTokens() {
      return output.tokens;
    },
    event(data) {
      output.addFrom(data);
      if (INDEX.test(data)) for (const [, index] of data.matchAll(INDICES)) begun.add(Number(index));
      if (/"usageMetadata"\s*:/.test(data)) unread = data;
      if (!TELLING.test(data)) return true;
      const json = parsed(data);
      // Errors may stand in a list.
      const event = fields(Array.isArray(json) ? json[0] : json);
      for (const { functionCall } of partsOf(event)) {
        if (!isRecord(functionCall)) continue;
        output.addCall();
        output.add(JSON.stringify(functionCall.args ?? {}));
      }
      const candidates = list(event.candidates).map(fields);
      for (const { finishReason, index = 0 } of candidates) if (typeof finishReason === 'string') ended.add(index);
      const isOver = isBlocked(event.promptFeedback) || [...begun].every((index) => ended.has(index));
      reader.isComplete ||= isOver && usageFrom(event) !== undefined;
      reader.error = event.error ?? reader.error;
      return true;
    },
  };
  return reader;
}

function partsOf({ candidates }: Fields): Fields[] {
  return list(candidates).flatMap((candidate) => list(fields(fields(candidate).content).parts).map(fields));
}

/** There is no answer. */
function isBlocked(promptFeedback: unknown): boolean {
  return fields(promptFeedback).blockReason !== undefined;
}
