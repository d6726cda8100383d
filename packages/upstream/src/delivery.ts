/** An answer on its way to the client: at its end, whichever that is, those who keep account learn what it has cost. */
import type { Outcome } from '@tollgate/core';
import type { Usage } from './formats/format.js';
import type { Turn } from './headroom.js';
import type { Draw } from './payer.js';
import type { Asked } from './request.js';

/** Who is told of the end. */
export interface Account {
  readonly asked: Asked;
  readonly turn: Turn;
  readonly draw: Draw | undefined;
  close(): Promise<void>;
}

/** Passes an answer on, and settles at its end. */
export async function deliver(answer: Response, account: Account): Promise<Response> {
  const { status, statusText, headers } = answer;
  const text = await answer.text();
  const { asked, turn } = account;
  const usage = asked.call && status < 400 ? turn.way.provider.format.usage(asked.call, JSON.parse(text)) : undefined;
  await settle(account, usage);
  return new Response(text, { status, statusText, headers });
}

async function settle({ turn, draw, close }: Account, usage: Usage | undefined): Promise<void> {
  const outcome: Outcome = { outcome: 'succeeded', ...(usage && outcomeOf(usage)) };
  draw?.settle(outcome);
  await Promise.all([turn.settle(outcome), close()]);
}

function outcomeOf({ model: _model, usd, ...usage }: Usage): Outcome {
  return { usage, usd };
}
