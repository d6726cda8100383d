/** A fake LLM provider: HTTP, latency, token usage, now and then an error, and its own count of what it served. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { random } from './random.js';
import { type Serving, serve } from './serve.js';
import type { Tokens } from './tally.js';

export interface ProviderCount extends Tokens {
  calls: number;
  /** Calls answered by 529; they use no tokens. */
  failures: number;
}

export interface Provider extends Serving {
  readonly count: Readonly<ProviderCount>;
}

/** What the app sends: texts, and how long an answer may be. An embedding has no answer. */
export interface ProviderCall {
  model: string;
  input: string[];
  max_tokens?: number;
}

export interface ProviderAnswer {
  text: string;
  usage: { prompt_tokens: number; completion_tokens: number };
}

const FAILURE_SHARE = 0.05;
const FIRST_TOKEN_MS = 80;
const TOKEN_MS = 2;

export async function startProvider(seed: number): Promise<Provider> {
  const dice = random(seed, 'provider');
  const count: ProviderCount = { calls: 0, failures: 0, inputTokens: 0, outputTokens: 0 };

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { input, max_tokens = 0 } = (await json(req)) as ProviderCall;
    count.calls++;
    const fails = dice.next() < FAILURE_SHARE;
    const completion = Math.round(max_tokens * (0.2 + 0.8 * dice.next()));
    await sleep(FIRST_TOKEN_MS + (fails ? 0 : completion * TOKEN_MS));
    if (fails) {
      count.failures++;
      res.writeHead(529).end();
      return;
    }
    const prompt = input.reduce((sum, text) => sum + countTokens(text), 0);
    count.inputTokens += prompt;
    count.outputTokens += completion;
    const body: ProviderAnswer = {
      text: 'lorem ipsum',
      usage: { prompt_tokens: prompt, completion_tokens: completion },
    };
    res.setHeader('Content-Type', 'application/json').end(JSON.stringify(body));
  }

  return { ...(await serve(answer)), count };
}

/** Four tokens for three words, as a rule of thumb has it. */
function countTokens(text: string): number {
  return Math.ceil((text.split(' ').length * 4) / 3);
}
