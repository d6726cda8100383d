/** A small AI app behind the gate. Each route says what it costs, and settles what it really used. */
import type { Subject, TokenCounts } from '@tollgate/core';
import { toll, tollgate } from '@tollgate/express';
import express, { type Express, type Request, type RequestHandler, type Response } from 'express';
import type { ProviderUsage } from './bill.js';
import type { Gate } from './gate.js';
import { ANSWER_ID, countTokens, type ProviderCall } from './provider.js';

/** The subjects that the app knows, by the name they give. A real app asks its sessions or tokens. */
export type Directory = ReadonlyMap<string | undefined, Subject>;

export interface App {
  readonly listener: Express;
  /** Resolves when every answer has been settled, also those that nobody waited for. */
  idle(): Promise<void>;
}

type Handle = (req: Request, res: Response) => Promise<void>;

export function createApp(gate: Gate, directory: Directory, providerUrl: string): App {
  const underWay = new Set<Promise<void>>();
  const app = express();
  app.use(express.json());
  app.use(tollgate(gate, { identify: (req) => directory.get(req.get('x-user')) }));

  // How long the prompts are, the gate estimates from the body.
  app.post(
    '/chat',
    toll('medium', {
      feature: 'chat',
      priority: 'interactive',
      model: 'sage-large',
      estimate: { outputTokens: 80 },
    }),
    tracked(answer('chat', 80)),
  );
  app.post(
    '/summarise',
    toll('large', {
      feature: 'summarise',
      priority: 'standard',
      model: 'sage-medium',
      estimate: { outputTokens: 200 },
    }),
    tracked(answer('summarise', 200)),
  );
  app.post(
    '/embed',
    toll('small', {
      feature: 'embed',
      priority: 'batch',
      model: 'sage-embed',
      permits: (req) => req.body.input.length,
      estimate: (req) => ({ inputTokens: countTokens(req.body.input), outputTokens: 0 }),
    }),
    tracked(embed),
  );
  return { listener: app, idle: async () => void (await Promise.all(underWay)) };

  /** Passes the answer on as it comes, and what it used on to the gate: all of it, or as much as there was. */
  function answer(feature: string, maxTokens: number): Handle {
    return async (req, res) => {
      const reply = await post('/answers', callOf(req, feature, maxTokens), req.admission?.signal);
      if (!reply.ok) return fail(req, res, reply.status);
      const isWhole = await relay(reply, res);
      const usage = await usageOf(reply.headers.get(ANSWER_ID));
      await req.admission?.settle({ outcome: isWhole ? 'succeeded' : 'failed', usage });
      if (isWhole) res.end();
      else res.destroy();
    };
  }

  /** Settles nothing where it succeeds: what an embedding costs is known beforehand, so the estimate may stand. */
  async function embed(req: Request, res: Response): Promise<void> {
    const reply = await post('/embeddings', callOf(req, 'embed', 0));
    if (!reply.ok) return fail(req, res, reply.status);
    res.json(await reply.json());
  }

  function post(path: string, call: ProviderCall, signal: AbortSignal | null = null) {
    const headers = { 'Content-Type': 'application/json' };
    return fetch(providerUrl + path, { method: 'POST', headers, body: JSON.stringify(call), signal });
  }

  async function usageOf(id: string | null): Promise<TokenCounts> {
    const reply = await fetch(`${providerUrl}/answers/${id}`);
    const { prompt_tokens, completion_tokens } = (await reply.json()) as ProviderUsage;
    return { inputTokens: prompt_tokens, outputTokens: completion_tokens };
  }

  /** Keeps track of the work, which may take longer than the response. */
  function tracked(handle: Handle): RequestHandler {
    return (req, res) => {
      const work = handle(req, res).finally(() => underWay.delete(work));
      underWay.add(work);
      return work;
    };
  }
}

function callOf(req: Request, feature: string, maxTokens: number): ProviderCall {
  const metadata = { user: req.get('x-user') ?? '', feature };
  return { model: req.admission?.model ?? '', input: req.body.input, max_tokens: maxTokens, metadata };
}

/** False where the provider breaks off or, by the admission's signal, the client has left. */
async function relay({ body }: globalThis.Response, res: Response): Promise<boolean> {
  try {
    for await (const words of body ?? []) res.write(words);
    return true;
  } catch {
    return false;
  }
}

/** The provider charged nothing, so neither does the gate. */
async function fail({ admission }: Request, res: Response, status: number): Promise<void> {
  await admission?.settle({ outcome: 'ignored' });
  res.status(502).json({ error: `The provider answered ${status}.` });
}
