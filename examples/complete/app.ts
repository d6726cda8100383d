/** The service: what each route costs, and what it does. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import type { Tollgate } from '@tollgate/core';
import { toll, tollgate, tollgateAdmin } from '@tollgate/express';
import express, { type ErrorRequestHandler, type Express, type Request, type RequestHandler } from 'express';
import { APIError, type OpenAI } from 'openai';
import { ring } from './keys.js';
import { OUTPUT_TOKENS } from './policy.js';
import type { Providers } from './providers.js';

const MODEL = 'gpt-5';

export function createApp(gate: Tollgate, { llm, sdk }: Providers): Express {
  const app = express();
  app.get('/health', (_req, res) => void res.json({ ok: true }));
  if (process.env.ADMIN_TOKEN !== undefined) {
    const authorize = isOperator(process.env.ADMIN_TOKEN);
    app.use('/admin', tollgateAdmin({ gates: [gate], keyRing: ring, upstreams: { llm }, authorize }));
  }

  // From here on nothing passes without a key of the ring, which says whose it is.
  app.use(tollgate(gate, { authenticate: ring }));
  app.use(express.json({ limit: '1mb' }));

  const chat = toll('large', { feature: 'chat', priority: 'interactive', model: MODEL });
  app.post('/chat', needs('message'), chat, async (req, res) => {
    const stream = await sdk.chat.completions.create({ ...prompt(req.body.message), stream: true });
    res.type('text/plain');
    await pipeline(textOf(stream), res);
  });

  const summary = toll('large', { feature: 'summary', priority: 'batch', whenShed: 'delay', model: MODEL });
  app.post('/summaries', needs('text'), summary, async (req, res) => {
    res.json({ summary: await ask(`Summarize: ${req.body.text}`) });
  });

  const agent = toll('xlarge', { feature: 'agent', model: MODEL });
  app.post('/agent', needs('task'), agent, async (req, res) => {
    const notes: string[] = [];
    for (const step of ['Plan', 'Draft', 'Check', 'Rewrite'])
      notes.push(await ask(`${step}: ${req.body.task}\n${notes.at(-1) ?? ''}`));
    res.json({ notes });
  });

  app.use(answerError);
  return app;

  async function ask(text: string): Promise<string> {
    const { choices } = await sdk.chat.completions.create(prompt(text));
    return choices[0]?.message.content ?? '';
  }
}

/** Stands before a toll, so that what can't be answered is charged nothing. */
function needs(field: string): RequestHandler {
  return (req, res, next) => {
    if (typeof req.body?.[field] === 'string') next();
    else res.status(400).json({ error: `The body has to be JSON with a text as '${field}'.` });
  };
}

function prompt(text: string) {
  return {
    model: MODEL,
    max_completion_tokens: OUTPUT_TOKENS,
    messages: [{ role: 'user' as const, content: text }],
  };
}

async function* textOf(stream: AsyncIterable<OpenAI.ChatCompletionChunk>): AsyncGenerator<string> {
  for await (const { choices } of stream) yield choices[0]?.delta.content ?? '';
}

/** A real service has its operators sign in. */
function isOperator(token: string) {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return (req: Request) => {
    const shown = req.get('authorization')?.replace(/^Bearer /, '');
    return shown === undefined ? undefined : timingSafeEqual(digest(shown), digest(token));
  };
}

/** What `llm`, a provider or Express refused is told with its status; of all else clients learn nothing. */
const answerError: ErrorRequestHandler = (error, req, res, _next) => {
  if (req.admission?.signal.aborted || res.headersSent) return void res.destroy();
  if (error instanceof APIError && error.status !== undefined) {
    const retryAfter = error.headers?.get('retry-after');
    if (retryAfter) res.set('Retry-After', retryAfter);
    return void res.status(error.status).json({ error: error.message });
  }
  if (error.status < 500) return void res.status(error.status).json({ error: error.message });
  console.error(error);
  res.status(500).json({ error: 'The service has failed.' });
};
