/**
 * A fake LLM provider: HTTP, latency, answers word by word, errors before and amid them, and a bill. It bills the tokens
 * that it did produce: also those of an answer that broke off, or that nobody waited for.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import express, { type Response } from 'express';
import { type Account, type Bill, openBill, type ProviderUsage } from './bill.js';
import { random } from './random.js';
import { type Serving, serve } from './serve.js';

export interface ProviderCount {
  calls: number;
  /** Calls answered by 529, which cost nothing. */
  failures: number;
  /** Answers that the provider broke off. */
  brokenOff: number;
  /** Answers that the app did not wait for. */
  abandoned: number;
}

export interface Provider extends Serving {
  readonly count: Readonly<ProviderCount>;
  readonly bill: Bill;
}

/** What the app sends: texts, how long an answer may be, and whom it is for. An embedding has no answer. */
export interface ProviderCall {
  model: string;
  input: string[];
  max_tokens: number;
  metadata: Account;
}

/** The header that names an answer: `GET /answers/<id>` tells what it used, however it ended. */
export const ANSWER_ID = 'X-Answer-Id';

const FAILURE_SHARE = 0.05;
const BREAK_SHARE = 0.05;
const FIRST_TOKEN_MS = 80;
const CHUNK_TOKENS = 5;
const CHUNK_MS = 10;

export async function startProvider(seed: number): Promise<Provider> {
  const moods = random(seed, 'provider');
  const dice = random(seed, 'answers');
  const count: ProviderCount = { calls: 0, failures: 0, brokenOff: 0, abandoned: 0 };
  const bill = openBill();
  const answers = new Map<string, Promise<ProviderUsage>>();

  const app = express().use(express.json());

  app.post('/answers', async ({ body }: { body: ProviderCall }, res) => {
    if (!(await begin(res))) return;
    const tokens = Math.round(body.max_tokens * (0.2 + 0.8 * dice.next()));
    const most = dice.next() < BREAK_SHARE ? tokens / 2 : tokens;
    const id = randomUUID();
    res.setHeader(ANSWER_ID, id);
    answers.set(id, speak(body, res, tokens, most));
  });

  app.get('/answers/:id', async ({ params: { id } }, res) => {
    const usage = await answers.get(id);
    answers.delete(id);
    res.status(usage ? 200 : 404).json(usage ?? {});
  });

  app.post('/embeddings', async ({ body }: { body: ProviderCall }, res) => {
    if (!(await begin(res))) return;
    const usage = charge(body, 0);
    res.json({ vectors: body.input.map(() => [0.1, 0.2, 0.3]), usage });
  });

  /** True unless the provider is having one of its moments. */
  async function begin(res: Response): Promise<boolean> {
    count.calls++;
    const isFine = moods.next() >= FAILURE_SHARE;
    await sleep(FIRST_TOKEN_MS);
    if (isFine) return true;
    count.failures++;
    res.status(529).end();
    return false;
  }

  /** Streams so many tokens, or breaks off after `most`, or ends when nobody listens; then charges what was streamed. */
  async function speak(call: ProviderCall, res: Response, tokens: number, most: number): Promise<ProviderUsage> {
    let said = 0;
    while (said < tokens && said < most && !res.closed) {
      const next = Math.min(CHUNK_TOKENS, tokens - said);
      res.write('lorem '.repeat(next));
      said += next;
      await sleep(CHUNK_MS);
    }
    if (res.closed) count.abandoned++;
    else if (said === tokens) res.end();
    else {
      count.brokenOff++;
      res.destroy();
    }
    return charge(call, said);
  }

  function charge({ model, input, metadata }: ProviderCall, said: number): ProviderUsage {
    const usage = { prompt_tokens: countTokens(input), completion_tokens: said };
    bill.add(metadata, model, usage);
    return usage;
  }

  return { ...(await serve(app)), count, bill };
}

/** How the provider counts, as it has published: four tokens for three words, each text rounded up. */
export function countTokens(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Math.ceil((text.split(' ').length * 4) / 3), 0);
}
