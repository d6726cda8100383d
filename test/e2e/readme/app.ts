/** What an app has that a README takes for granted: stand-ins, by which its snippets run. */
import { budget, createTollgate, type Limit, slidingWindow, type Tollgate } from '@tollgate/core';
import express, { type RequestHandler } from 'express';

declare global {
  namespace Express {
    interface Request {
      user: { id: string; plan: string };
    }
  }
}

export const newApp = () => express();
export const router = express.Router();
export const limits: Limit[] = [slidingWindow({ name: 'user', by: 'user', limit: 60, window: '1m' })];
export const gate: Tollgate = createTollgate({
  limits: [...limits, slidingWindow({ name: 'all', limit: 600, window: '1m' })],
  budgets: [budget({ name: 'spend', by: 'user', limit: { free: '$0.50', pro: '$5', default: '$1' }, per: 'day' })],
  prices: { default: { input: '$1/M', output: '$5/M' } },
});

export const handler: RequestHandler = (_req, res) => void res.end();
export const [ask, chat, embed, health, summarize] = Array(5).fill(handler) as RequestHandler[] & { length: 5 };
export const identify = () => ({ user: 'u1' });
export const makeReport = async () => {};

const usage = { input: 9, output: 120 };
export const llm = {
  chat: async (_body: unknown, _options: { signal: AbortSignal | undefined }) => ({ usage }),
  async *stream(_body: unknown, _options: { signal: AbortSignal | undefined }) {
    yield { text: 'Hello', usage: undefined };
    yield { text: '!', usage };
  },
};

/** A queue of jobs, of which one has been handed over. */
export const queue = { add: async (_job: { admission: string | undefined }) => {} };
const decision = await gate.admit({ subject: { user: 'u1' }, permits: 1 });
export const job = { admission: decision.admitted ? await decision.admission.handOver() : '' };

/** As far as it matters here, what the SDKs of secrets managers have. */
export const secretsManager = { getSecretValue: async (_: { SecretId: string }) => ({ SecretString: 'sk-1' }) };
export const secretManager = {
  accessSecretVersion: async (_: {
    name: string;
  }): Promise<[{ payload?: { data?: Uint8Array | string | null } | null }]> => [{ payload: { data: 'sk-1' } }],
};
export const keyVault = { getSecret: async (_name: string): Promise<{ value?: string }> => ({ value: 'sk-1' }) };
