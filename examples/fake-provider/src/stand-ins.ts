/** What stands in for the providers where there are no keys for them: the same APIs, on this machine and for nothing. */
import { createProvider } from './provider.js';
import { serve } from './serve.js';

/** The environment by which an example finds OpenAI and OpenRouter, with two keys each. */
export async function startStandIns(): Promise<Record<string, string>> {
  const limits = { requests: 60, tokens: 50_000 };
  const pace = { latencyMs: 200, tokenMs: 20 };
  const first = await serve(createProvider({ kind: 'openai', keys: ['fake-1', 'fake-2'], limits, ...pace }));
  const second = await serve(createProvider({ kind: 'openai', keys: ['fake-3', 'fake-4'], ...pace }));
  return {
    OPENAI_URL: `${first.url}/v1`,
    OPENAI_KEY_1: 'fake-1',
    OPENAI_KEY_2: 'fake-2',
    OPENROUTER_URL: `${second.url}/v1`,
    OPENROUTER_KEY_1: 'fake-3',
    OPENROUTER_KEY_2: 'fake-4',
  };
}
