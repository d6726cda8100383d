/** An answer on its way to the client. However it ends, the call is settled by what it has cost. */
import { type Draw, type Outcome, TollgateError } from '@tollgate/core';
import { warn } from '@tollgate/core/options';
import type { Answered } from './attempt.js';
import { NO_TOKENS, type Usage } from './formats/format.js';
import type { Turn } from './headroom/headroom.js';
import { type Accounts, ofKeyOrProvider, tell } from './health/verdict.js';
import { failureIn } from './providers/hearing.js';
import type { Asked } from './request.js';
import { type Ending, tap } from './usage/tap.js';
import { withUnseen } from './usage/unseen.js';

/** Who is told of the end. */
export interface Account {
  readonly post: Accounts;
  readonly asked: Asked;
  readonly turn: Turn;
  readonly draw: Draw | undefined;
  readonly signal: AbortSignal | undefined;
  /** Nothing more is drawn for the call. */
  close(outcome: Outcome['outcome']): Promise<void>;
  /** Stops listening to the caller's signals. */
  release(): void;
}

/** Passes an answer on, and settles as soon as its cost is known. The caller can abort it until all of it has passed. */
export function deliver(answered: Answered, account: Account): Response {
  const { answer, isError, isAsking } = answered;
  const { post, asked, turn, signal, release } = account;
  const { provider, model } = turn.way;
  if (isError) {
    end(account, { outcome: 'failed', usage: NO_TOKENS }, { outcome: 'ignored' });
    release();
    return answer;
  }
  const { format } = provider;
  const call = asked.call && { ...asked.call, model: model ?? asked.call.model };
  try {
    return tap(answer, {
      format,
      call,
      asked: !isAsking,
      signal,
      clock: post.clock,
      onEnd: (ending) => ended(account, answered, ending),
      onClose: release,
    });
  } catch (error) {
    // What sends may be the app's own, and have read the body.
    end(account, { outcome: 'failed' }, { outcome: 'failed' });
    release();
    throw error;
  }
}

function ended(account: Account, answered: Answered, ending: Ending): void {
  let outcome: Outcome = { outcome: 'failed' };
  try {
    outcome = outcomeOf(account, answered, ending);
  } catch (error) {
    warnUnsettled(account, error);
  }
  const { overloaded, ...spent } = outcome;
  end(account, outcome, { ...spent, model: account.turn.way.model });
}

/** A provider's functions may be a user's own, and throw. */
function outcomeOf(account: Account, answered: Answered, ending: Ending): Outcome {
  const { asked, turn } = account;
  const { provider } = turn.way;
  const { status, headers } = answered.answer;
  const { how, isEstimate, usage: seen = provider.usage?.({ status, headers, body: undefined }) } = ending;
  const usage = isEstimate ? withUnseen(seen, asked.request.json) : seen;
  return {
    outcome: how === 'complete' ? 'succeeded' : 'failed',
    ...(usage && told(usage, provider.tellsCost)),
    overloaded: tellOfEnd(account, answered, ending),
  };
}

/** What an answer says of key and provider by how it has ended: an error in it is the same as one by status. */
function tellOfEnd(
  { post, asked, turn }: Account,
  { answer: { status, headers }, sentAt }: Answered,
  { how, error }: Ending,
): Outcome['overloaded'] {
  const { way } = turn;
  if (how === 'complete') post.health.ended(way, sentAt);
  if (error === undefined) return undefined;
  const said = failureIn(way.provider, { status, headers, body: error }, post.clock.now());
  const failure = ofKeyOrProvider(asked, way, said);
  return failure && tell(post, turn, failure, sentAt, true);
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
