/** Gemini's `generateContent`, whole and as a stream. */
import { type Answer, outputTokens, promptTokens, textsIn } from '../answers.js';
import type { Usage } from '../bill.js';
import { type Body, type Call, event, type Format, type Step, type Trouble } from './format.js';

const PATH = /^\/models\/([^/:]+):(generateContent|streamGenerateContent)$/;

const INVALID_KEY = 'API_KEY_INVALID';
const TYPE = 'type.googleapis.com/google.rpc.';

/** It tells nothing of its limits before they are reached. */
export const gemini: Format = {
  keyOf: (headers) => headers.get('x-goog-api-key') ?? '',
  read(path, body) {
    const [, model, method] = PATH.exec(path) ?? [];
    return model === undefined ? undefined : readContents(model, method === 'streamGenerateContent', body);
  },
  whole: (id, call, answer, usage) => chunk(id, call, partsOf(answer), usage, finishReason(call, answer)),
  stream: streamContent,
  unknownKey: { status: 400, code: INVALID_KEY, message: 'API key not valid. Please pass a valid API key.' },
  error: (trouble, stream) => (stream ? [errorOf(trouble)] : errorOf(trouble)),
  errorEvent: (trouble) => event(errorOf(trouble)),
  headers: () => ({}),
};

function readContents(model: string, stream: boolean, body: Body): Call {
  const tools = body.tools?.flatMap((tool: Body) => tool.functionDeclarations ?? []) ?? [];
  return {
    operation: 'generateContent',
    model,
    stream,
    promptTokens: promptTokens(textsIn([body.systemInstruction, body.contents, body.tools])),
    maxTokens: body.generationConfig?.maxOutputTokens,
    tools: tools.map(({ name }: Body) => name),
    wantsUsage: true,
  };
}

/** Each chunk tells the usage so far. */
function* streamContent(id: string, call: Call, answer: Answer, usage: Usage): Generator<Step> {
  const reasoning = answer.reasoning ?? 0;
  let output = reasoning;
  if (reasoning > 0) yield { tokens: reasoning, event: undefined };
  for (const text of answer.text) {
    output++;
    yield { tokens: 1, event: event(chunk(id, call, [{ text }], { ...usage, output })) };
  }
  const tokens = outputTokens(answer) - output;
  const parts = partsOf({ ...answer, text: [] });
  yield { tokens, event: event(chunk(id, call, parts, usage, finishReason(call, answer))) };
}

/** Arguments come whole. */
function partsOf({ text, toolCalls }: Answer): object[] {
  const calls = toolCalls.map(({ name, arguments: pieces }) => ({
    functionCall: { name, args: JSON.parse(pieces.join('')) },
  }));
  return text.length > 0 ? [{ text: text.join('') }, ...calls] : calls;
}

function chunk(responseId: string, { model }: Call, parts: object[], usage: Usage, finishReason?: string) {
  return {
    candidates: [{ content: { parts, role: 'model' }, index: 0, ...(finishReason && { finishReason }) }],
    usageMetadata: wireUsage(usage),
    modelVersion: model,
    responseId,
  };
}

function finishReason({ maxTokens }: Call, { text }: Answer): string {
  return text.length === maxTokens ? 'MAX_TOKENS' : 'STOP';
}

/** Thoughts are no part of the candidates. */
function wireUsage({ input, cacheRead, output, reasoning }: Usage) {
  return {
    promptTokenCount: input,
    candidatesTokenCount: output - reasoning,
    totalTokenCount: input + output,
    ...(reasoning > 0 && { thoughtsTokenCount: reasoning }),
    ...(cacheRead > 0 && { cachedContentTokenCount: cacheRead }),
  };
}

const STATUSES = new Map([
  [400, 'INVALID_ARGUMENT'],
  [404, 'NOT_FOUND'],
  [429, 'RESOURCE_EXHAUSTED'],
  [503, 'UNAVAILABLE'],
]);

function errorOf({ status: code, code: reason, message, retryAfterMs }: Trouble) {
  const status = reason === undefined || reason === INVALID_KEY ? (STATUSES.get(code) ?? 'INTERNAL') : reason;
  const details: object[] = [];
  if (reason === INVALID_KEY) details.push({ '@type': `${TYPE}ErrorInfo`, reason });
  if (code === 429) {
    const quotaId = 'GenerateRequestsPerMinutePerProjectPerModel';
    details.push({ '@type': `${TYPE}QuotaFailure`, violations: [{ quotaId }] });
  }
  if (retryAfterMs !== undefined) details.push({ '@type': `${TYPE}RetryInfo`, retryDelay: `${retryAfterMs / 1000}s` });
  return { error: { code, message: message ?? `The fake provider says ${status}.`, status, details } };
}
