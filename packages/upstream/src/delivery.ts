/** An answer on its way to the client. However it ends, the call is settled by what it has cost. */
import { type Clock, type Draw, type Outcome, TollgateError } from '@tollgate/core';
import { warn } from '@tollgate/core/options';
import type { Answered } from './attempt.js';
import { type Call, NO_TOKENS, type Usage } from './formats/format.js';
import type { Turn } from './headroom.js';
import { type Ending, tap } from './usage/tap.js';
import { withUnseen } from './usage/unseen.js';

/** Who is told of the end. */
export interface Account {
  /** `undefined` for what isn't counted. */
  readonly call: Call | undefined;
  /** The request's body as JSON. */
  readonly body: unknown;
  readonly turn: Turn;
  readonly draw: Draw | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
  /** Nothing more is drawn for the call. */
  close(outcome: Outcome['outcome']): Promise<void>;
  /** Stops listening to the caller's signals. */
  release(): void;
}

/** Passes an answer on, and settles as soon as its cost is known. The caller can abort it until all of it has passed. */
export function deliver({ answer, isError, isAsking }: Answered, account: Account): Response {
  const { turn, clock, signal, release } = account;
  const { provider, model } = turn.way;
  if (isError) {
    end(account, { outcome: 'failed', usage: NO_TOKENS }, { outcome: 'ignored' });
    release();
    return answer;
  }
  const { format } = provider;
  const call = account.call && { ...account.call, model: model ?? account.call.model };
  return tap(answer, {
    format,
    call,
    asked: !isAsking,
    signal,
    clock,
    onEnd: (ending) => ended(account, answer, ending),
    onClose: release,
  });
}

function ended(account: Account, answer: Response, ending: Ending): void {
  let outcome: Outcome = { outcome: 'failed' };
  try {
    outcome = outcomeOf(account, answer, ending);
  } catch (error) {
    warnUnsettled(account, error);
  }
  const { overloaded, ...spent } = outcome;
  end(account, outcome, { ...spent, model: account.turn.way.model });
}

/** A provider's functions may be a user's own, and throw. */
function outcomeOf({ turn, clock, body }: Account, { status, headers }: Response, ending: Ending): Outcome {
  const { provider } = turn.way;
  const { how, error, isEstimate, usage: seen = provider.usage?.({ status, headers, body: undefined }) } = ending;
  const usage = isEstimate ? withUnseen(seen, body) : seen;
  const said = error === undefined ? undefined : provider.failure({ status, headers, body: error }, clock.now());
  const overloaded = said?.kind === 'overloaded' || undefined;
  return {
    outcome: how === 'complete' ? 'succeeded' : 'failed',
    ...(usage && told(usage, provider.tellsCost)),
    overloaded,
  };
}

function told({ model: _model, usd, ...usage }: Usage, tellsCost = false): Outcome {
  return { usage, usd: tellsCost ? usd : undefined };
}

/**
 * A stand-in's model may have no price: its tokens then cost what the model that was asked for costs. If the usage that was
 * told is nonsense, the estimate stands.
 */
function end(account: Account, ofTurn: Outcome, ofDraw: Outcome): void {
  const { turn, draw, close } = account;
  const failed = (error: unknown) => warnUnsettled(account, error);
  if (draw !== undefined) settleDraw(draw, ofDraw, failed);
  turn.settle(ofTurn).catch((error) => {
    failed(error);
    return turn.settle({ outcome: 'failed' });
  });
  close(ofTurn.outcome).catch(failed);
}

function warnUnsettled({ turn }: Account, error: unknown): void {
  const why = error instanceof TollgateError ? error.message : 'it failed';
  warn('TOLLGATE_SETTLE_FAILED', `A call by ${turn.way.name} was not settled by its usage: ${why}`);
}

function settleDraw(draw: Draw, { model, ...outcome }: Outcome, failed: (error: unknown) => void): void {
  try {
    draw.settle({ ...outcome, model });
  } catch {
    try {
      draw.settle(outcome);
    } catch (error) {
      failed(error);
      draw.settle({ outcome: 'failed' });
    }
  }
}
