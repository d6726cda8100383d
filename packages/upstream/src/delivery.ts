/** An answer on its way to the client: at its end, whichever that is, those who keep account learn what it has cost. */
import { type Clock, type Draw, type Outcome, type TokenCounts, TollgateError } from '@tollgate/core';
import type { Answered } from './attempt.js';
import type { Call, Usage } from './formats/format.js';
import type { Turn } from './headroom.js';
import { type Ending, tap } from './usage/tap.js';
import { withUnseen } from './usage/unseen.js';
import { warn } from './warnings.js';

/** Who is told of the end. */
export interface Account {
  /** `undefined` for what costs no tokens. */
  readonly call: Call | undefined;
  /** The request's body as JSON. */
  readonly body: unknown;
  readonly turn: Turn;
  readonly draw: Draw | undefined;
  readonly clock: Clock;
  /** The client's own. */
  readonly signal: AbortSignal | undefined;
  /** Nothing more is drawn. */
  close(): Promise<void>;
}

const NO_TOKENS: TokenCounts = { inputTokens: 0, outputTokens: 0 };

/** Passes an answer on, and settles at its end. */
export function deliver({ answer, isError, isAsking }: Answered, account: Account): Response {
  const { turn, clock, signal } = account;
  const { provider, model } = turn.way;
  if (account.call === undefined || isError) {
    end(account, { outcome: isError ? 'failed' : 'succeeded', usage: NO_TOKENS }, { outcome: 'ignored' });
    return answer;
  }
  const { format } = provider;
  const call = { ...account.call, model: model ?? account.call.model };
  return tap(answer, {
    format,
    call,
    asked: !isAsking,
    signal,
    clock,
    onEnd: (ending) => ended(account, answer, ending),
  });
}

function ended(account: Account, { status, headers }: Response, ending: Ending): void {
  const { turn, clock } = account;
  const { provider } = turn.way;
  const { how, error, isEstimate, usage: seen = provider.usage?.({ status, headers, body: undefined }) } = ending;
  const usage = isEstimate ? withUnseen(seen, account.body) : seen;
  const said = error === undefined ? undefined : provider.failure({ status, headers, body: error }, clock.now());
  const overloaded = said?.kind === 'overloaded' || undefined;
  const outcome: Outcome = { outcome: how === 'complete' ? 'succeeded' : 'failed', ...(usage && told(usage)) };
  end(account, { ...outcome, overloaded }, { ...outcome, model: turn.way.model });
}

function told({ model: _model, usd, ...usage }: Usage): Outcome {
  return { usage, usd };
}

/** What a provider tells may be nonsense, and a model without a price: the estimate stands then. */
function end({ turn, draw, close }: Account, ofTurn: Outcome, ofDraw: Outcome): void {
  const failed = (error: unknown) => {
    const why = error instanceof TollgateError ? error.message : 'it failed';
    warn('TOLLGATE_SETTLE_FAILED', `A call by ${turn.way.name} was not settled by its usage: ${why}`);
  };
  try {
    draw?.settle(ofDraw);
  } catch (error) {
    failed(error);
    draw?.settle({ outcome: 'failed' });
  }
  turn.settle(ofTurn).catch((error) => {
    failed(error);
    return turn.settle({ outcome: 'failed' });
  });
  close().catch(failed);
}
