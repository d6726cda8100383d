/** What OpenAI's answers say of usage, and those of the many that speak like it. */
import type { Usage } from './format.js';
import { count, fields, money, usageOf } from './values.js';

/** Of an answer, or of the chunk of a stream that has it. Groq puts it elsewhere in streams. */
export function openaiUsage(answer: unknown): Usage | undefined {
  const { usage, x_groq, model } = fields(answer);
  return usageIn(usage ?? fields(x_groq).usage, model);
}

function usageIn(value: unknown, model: unknown): Usage | undefined {
  const usage = fields(value);
  const inputs = fields(usage.prompt_tokens_details ?? usage.input_tokens_details);
  const outputs = fields(usage.completion_tokens_details ?? usage.output_tokens_details);
  const input = count(usage.prompt_tokens ?? usage.input_tokens);
  const told = count(usage.completion_tokens ?? usage.output_tokens);
  return usageOf({
    input,
    cached: count(inputs.cached_tokens ?? usage.prompt_cache_hit_tokens),
    cacheWrite: count(inputs.cache_write_tokens),
    output: outputOf(told, input, count(usage.total_tokens)),
    reasoning: count(outputs.reasoning_tokens),
    model,
    usd: costOf(usage),
  });
}

/** Some (xAI, Gemini) count reasoning in the total, yet not in the answer. */
function outputOf(told: number | undefined, input: number | undefined, total: number | undefined): number | undefined {
  if (input === undefined || total === undefined) return told;
  return Math.max(told ?? 0, total - input);
}

/** OpenRouter says what it charges. With a key of the app's own for the provider behind it, that provider charges too. */
function costOf({ cost, is_byok, cost_details }: Readonly<Record<string, unknown>>) {
  if (typeof cost !== 'number' || is_byok !== true) return money(cost);
  const { upstream_inference_cost: upstream } = fields(cost_details);
  return typeof upstream === 'number' && upstream >= 0 ? money(cost + upstream) : undefined;
}
