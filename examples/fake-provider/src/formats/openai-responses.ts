/** OpenAI's responses. */
import { type Answer, promptTokens, TOOL_NAME_TOKENS, textsIn } from '../answers.js';
import type { Usage } from '../bill.js';
import { type Body, type Call, event, type Step } from './format.js';

export function readResponses(body: Body): Call {
  return {
    operation: 'responses',
    model: body.model,
    stream: body.stream === true,
    promptTokens: promptTokens(textsIn([body.input, body.instructions, body.tools])),
    maxTokens: body.max_output_tokens,
    tools: body.tools?.map((tool: Body) => tool.name) ?? [],
    wantsUsage: true,
  };
}

export function wholeResponse(id: string, call: Call, answer: Answer, usage: Usage) {
  const isCut = answer.text.length > 0 && answer.text.length === call.maxTokens;
  return {
    ...head(id, call),
    status: isCut ? 'incomplete' : 'completed',
    incomplete_details: isCut ? { reason: 'max_output_tokens' } : null,
    output: outputOf(id, answer).map(({ item }) => item),
    usage: {
      input_tokens: usage.input,
      input_tokens_details: { cached_tokens: usage.cacheRead },
      output_tokens: usage.output,
      output_tokens_details: { reasoning_tokens: usage.reasoning },
      total_tokens: usage.input + usage.output,
    },
  };
}

export function* streamResponse(id: string, call: Call, answer: Answer, usage: Usage): Generator<Step> {
  let sequence = 0;
  const step = (tokens: number, type: string, fields: object): Step => ({
    tokens,
    event: event({ type, sequence_number: sequence++, ...fields }, type),
  });
  const begun = { ...head(id, call), status: 'in_progress', incomplete_details: null, output: [], usage: null };

  yield step(0, 'response.created', { response: begun });
  yield step(0, 'response.in_progress', { response: begun });
  for (const [output_index, { item, unsaid, pieces }] of outputOf(id, answer).entries()) {
    const at = { item_id: item.id, output_index };
    const whole = pieces.join('');
    yield step(0, 'response.output_item.added', { output_index, item: { ...item, ...EMPTY[item.type] } });
    if (unsaid > 0) yield { tokens: unsaid, event: undefined };
    if (item.type === 'message') {
      const part = { ...at, content_index: 0 };
      yield step(0, 'response.content_part.added', { ...part, part: textPart('') });
      for (const delta of pieces) yield step(1, 'response.output_text.delta', { ...part, delta, logprobs: [] });
      yield step(0, 'response.output_text.done', { ...part, text: whole, logprobs: [] });
      yield step(0, 'response.content_part.done', { ...part, part: textPart(whole) });
    } else if (item.type === 'function_call') {
      for (const delta of pieces) yield step(1, 'response.function_call_arguments.delta', { ...at, delta });
      yield step(0, 'response.function_call_arguments.done', { ...at, name: item.name, arguments: whole });
    }
    yield step(0, 'response.output_item.done', { output_index, item });
  }
  const response = wholeResponse(id, call, answer, usage);
  yield step(0, `response.${response.status}`, { response });
}

/** An item of the output, and how it comes about: tokens that go unsaid, then a token for each piece. */
interface Output {
  readonly item: { readonly id: string; readonly name?: string } & Record<'type', keyof typeof EMPTY>;
  readonly unsaid: number;
  readonly pieces: readonly string[];
}

/** What an item is at first. */
const EMPTY = {
  reasoning: { status: 'in_progress' },
  message: { status: 'in_progress', content: [] },
  function_call: { status: 'in_progress', arguments: '' },
} as const;

function outputOf(id: string, { reasoning = 0, text, toolCalls }: Answer): Output[] {
  const outputs: Output[] = [];
  if (reasoning > 0) {
    outputs.push({ item: { id: `rs_${id}`, type: 'reasoning', ...{ summary: [] } }, unsaid: reasoning, pieces: [] });
  }
  if (text.length > 0) {
    const content = [textPart(text.join(''))];
    const item = { id: `msg_${id}`, type: 'message', status: 'completed', role: 'assistant', content } as const;
    outputs.push({ item, unsaid: 0, pieces: text });
  }
  for (const [i, { name, arguments: pieces }] of toolCalls.entries()) {
    const ids = { id: `fc_${id}_${i}`, call_id: `call_${id}_${i}` };
    const item = { ...ids, type: 'function_call', status: 'completed', name, arguments: pieces.join('') } as const;
    outputs.push({ item, unsaid: TOOL_NAME_TOKENS, pieces });
  }
  return outputs;
}

function textPart(text: string) {
  return { type: 'output_text', text, annotations: [], logprobs: [] };
}

function head(id: string, { model }: Call) {
  return {
    id: `resp_${id}`,
    object: 'response',
    created_at: 1_767_225_600,
    model,
    error: null,
    instructions: null,
    metadata: {},
    parallel_tool_calls: true,
    tool_choice: 'auto',
    tools: [],
  };
}
