/** OpenAI's chat completions. */
import { type Answer, promptTokens, TOOL_NAME_TOKENS, textsIn } from '../answers.js';
import type { Usage } from '../bill.js';
import { type Body, type Call, event, type Step } from './format.js';

export function readChat(body: Body): Call {
  return {
    operation: 'chat',
    model: body.model,
    stream: body.stream === true,
    promptTokens: promptTokens(textsIn([body.messages, body.tools])),
    maxTokens: body.max_completion_tokens ?? body.max_tokens,
    tools: body.tools?.map((tool: Body) => tool.function.name) ?? [],
    wantsUsage: body.stream_options?.include_usage === true,
  };
}

export function wholeChat(id: string, call: Call, answer: Answer, usage: Usage): unknown {
  const { text, toolCalls } = answer;
  const message = {
    role: 'assistant',
    content: text.length > 0 ? text.join('') : null,
    refusal: null,
    ...(toolCalls.length > 0 && {
      tool_calls: toolCalls.map(({ name, arguments: args }, i) => ({
        id: `call_${id}_${i}`,
        type: 'function',
        function: { name, arguments: args.join('') },
      })),
    }),
  };
  return {
    ...head('chat.completion', id, call),
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishReason(call, answer) }],
    usage: wireUsage(usage),
  };
}

/** What is thought goes unsaid; usage comes last, and only where it was asked for. */
export function* streamChat(id: string, call: Call, answer: Answer, usage: Usage): Generator<Step> {
  const chunk = (choices: unknown[], told: unknown = null) =>
    event({
      ...head('chat.completion.chunk', id, call),
      choices,
      ...(call.wantsUsage && { usage: told }),
    });
  const delta = (delta: object, finish_reason: string | null = null) =>
    chunk([{ index: 0, delta, logprobs: null, finish_reason }]);
  const toolDelta = (index: number, part: object) => delta({ tool_calls: [{ index, ...part }] });

  yield { tokens: answer.reasoning ?? 0, event: delta({ role: 'assistant', content: '', refusal: null }) };
  for (const content of answer.text) yield { tokens: 1, event: delta({ content }) };
  for (const [i, { name, arguments: args }] of answer.toolCalls.entries()) {
    const begun = { id: `call_${id}_${i}`, type: 'function', function: { name, arguments: '' } };
    yield { tokens: TOOL_NAME_TOKENS, event: toolDelta(i, begun) };
    for (const part of args) yield { tokens: 1, event: toolDelta(i, { function: { arguments: part } }) };
  }
  yield { tokens: 0, event: delta({}, finishReason(call, answer)) };
  if (call.wantsUsage) yield { tokens: 0, event: chunk([], wireUsage(usage)) };
  yield { tokens: 0, event: event('[DONE]') };
}

export function readEmbeddings(body: Body): Call {
  return {
    operation: 'embeddings',
    model: body.model,
    stream: false,
    promptTokens: promptTokens([body.input].flat()),
    maxTokens: 0,
    tools: [],
    wantsUsage: false,
  };
}

export function wholeEmbeddings({ model }: Call, usage: Usage): unknown {
  return {
    object: 'list',
    model,
    data: [{ object: 'embedding', index: 0, embedding: [0.1, 0.2, 0.3] }],
    usage: { prompt_tokens: usage.input, total_tokens: usage.input },
  };
}

function head(object: string, id: string, { model }: Call) {
  return { id: `chatcmpl-${id}`, object, created: 1_767_225_600, model, service_tier: 'default' };
}

function finishReason({ maxTokens }: Call, { text, toolCalls }: Answer): string {
  if (toolCalls.length > 0) return 'tool_calls';
  return text.length === maxTokens ? 'length' : 'stop';
}

function wireUsage({ input, cacheRead, output, reasoning }: Usage) {
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: cacheRead, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: reasoning, audio_tokens: 0 },
  };
}
