/** A small AI app behind the gate. Each route says what it costs, and settles what it really used. */
import type { Subject } from '@tollgate/core';
import { toll, tollgate } from '@tollgate/express';
import express, { type Express, type Request, type RequestHandler } from 'express';
import type { Gate } from './gate.js';
import type { ProviderAnswer, ProviderCall } from './provider.js';

export const MODELS = ['sage-large', 'sage-small', 'sage-embed'] as const;

/** The subjects that the app knows, by the name they give. A real app asks its sessions or tokens. */
export type Directory = ReadonlyMap<string | undefined, Subject>;

export function createApp(gate: Gate, directory: Directory, providerUrl: string): Express {
  const app = express();
  app.use(express.json());
  app.use(tollgate(gate, { identify: (req) => directory.get(req.get('x-user')) }));

  app.post(
    '/chat',
    toll('medium', { feature: 'chat', priority: 'interactive', model: 'sage-large', estimate: upTo(150) }),
    ask(150),
  );
  app.post(
    '/summarise',
    toll('large', { feature: 'summarise', priority: 'standard', model: 'sage-small', estimate: upTo(200) }),
    ask(200),
  );
  app.post(
    '/embed',
    toll('small', {
      feature: 'embed',
      priority: 'batch',
      model: 'sage-embed',
      permits: (req) => req.body.input.length,
      estimate: upTo(0),
    }),
    ask(0),
  );
  return app;

  /** Passes the texts on to the provider, and what it used on to the gate. */
  function ask(maxTokens: number): RequestHandler {
    return async (req, res) => {
      const { admission } = req;
      const call: ProviderCall = { model: admission?.model ?? '', input: req.body.input, max_tokens: maxTokens };
      const answer = await fetch(providerUrl, {
        method: 'POST',
        body: JSON.stringify(call),
        signal: admission?.signal ?? null,
      });
      if (!answer.ok) {
        // The provider charged nothing, so neither does the gate.
        await admission?.settle({ outcome: 'ignored' });
        res.status(502).json({ error: `The provider answered ${answer.status}.` });
        return;
      }
      const { text, usage } = (await answer.json()) as ProviderAnswer;
      await admission?.settle({
        usage: { inputTokens: usage.prompt_tokens, outputTokens: usage.completion_tokens },
      });
      res.json({ text });
    };
  }
}

/** Expects a token for every four characters, and the longest answer. */
function upTo(outputTokens: number) {
  return (req: Request) => ({ inputTokens: Math.ceil(req.body.input.join('').length / 4), outputTokens });
}
