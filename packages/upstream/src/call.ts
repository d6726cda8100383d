/** A call: its payer is charged an estimate, then one way after the other is tried until there is an answer. */
import type { Draw, Outcome } from '@tollgate/core';
import { attempt, type Failed } from './attempt.js';
import { deliver } from './delivery.js';
import type { Post } from './exchange.js';
import type { HeadroomGate, Turn } from './headroom/headroom.js';
import type { Payer } from './payer.js';
import { final, fromGate, fromHeadroom, inVain, type OwnRefusal } from './refusals.js';
import type { Asked } from './request.js';
import type { CallWay } from './way.js';

export interface Site extends Post {
  readonly headroom: HeadroomGate;
  /** The ways by which a call for this model can be sent now, best first. */
  waysOf(asked: Asked, model: string | undefined): readonly CallWay[];
  /** Notes that a key is in use. Returns a function that ends that; `undefined` if the key was removed since it was offered. */
  begin(way: CallWay): (() => void) | undefined;
  /** Why there is no way. */
  noWay(asked: Asked, model: string | undefined): OwnRefusal;
}

/** What is to be answered, and on whose account. */
export interface Order {
  readonly asked: Asked;
  /** `undefined` where nothing is to be paid. */
  readonly payer: Payer | undefined;
  /** To be served by; `undefined` for what isn't counted. */
  readonly model: string | undefined;
  readonly signal: AbortSignal | undefined;
  /** Nothing more is drawn. A call that was never sent costs nothing: its outcome is `ignored`. */
  close(outcome: Outcome['outcome']): Promise<void>;
  /** Stops listening to the caller's signals: the call is over, and all of its answer has passed. */
  release(): void;
}

/** Tries each way once at most, and no other once an answer has begun. */
export async function answerTo(site: Site, order: Order): Promise<Response> {
  const { asked, signal, close, release } = order;
  const failures: Failed[] = [];
  let wasSent = false;
  let isDelivered = false;
  try {
    for (;;) {
      const next = await nextTurn(site, order, failures);
      if ('refusal' in next) return inVain(asked, failures, next.refusal, site.clock.now());
      const { turn, draw } = next;
      const attempted = await attempt({ post: site, asked, turn, signal, number: failures.length + 1 });
      if ('answer' in attempted) {
        isDelivered = true;
        const answer = deliver(attempted, { post: site, asked, turn, draw, signal, close, release });
        return attempted.isError && failures.length > 0 ? final(answer, site.clock.now()) : answer;
      }
      wasSent ||= attempted.wasSent;
      // If the provider may bill it, the estimate stands.
      draw?.settle({ outcome: attempted.mayBeBilled ? 'failed' : 'ignored' });
      if ('reason' in attempted) throw attempted.reason;
      failures.push(attempted);
    }
  } finally {
    if (!isDelivered) {
      release();
      await close(wasSent ? 'failed' : 'ignored');
    }
  }
}

/** Charges the payer, and waits for a way that has room. If there is none, the charge is given back. */
async function nextTurn(
  site: Site,
  { asked, payer, model, signal }: Order,
  failures: readonly Failed[],
): Promise<{ readonly turn: Turn; readonly draw: Draw | undefined } | { readonly refusal: OwnRefusal }> {
  const isGone = !asked.request.canRepeat && failures.some(({ failure }) => failure !== 'no secret');
  const isOpen = (way: CallWay) => !isGone && !failures.some((failed) => rulesOut(failed, way));
  for (;;) {
    const ways = site.waysOf(asked, model).filter(isOpen);
    if (ways.length === 0) return { refusal: site.noWay(asked, model) };
    const drawn = asked.call && (await payer?.draw(model));
    if (drawn?.admitted === false) return { refusal: fromGate(drawn.refusal) };
    let isTaken = false;
    try {
      const turn = await site.headroom.turn(ways, asked, payer?.request, signal);
      if ('refusal' in turn) return { refusal: fromHeadroom(turn.refusal, asked.provider) };
      const end = site.begin(turn.way);
      if (end !== undefined) {
        isTaken = true;
        return { turn: endingWith(turn, end), draw: drawn?.draw };
      }
      // The key was removed while the call waited: others have replaced it.
      await turn.settle({ outcome: 'ignored' });
    } finally {
      if (!isTaken) drawn?.draw.settle({ outcome: 'ignored' });
    }
  }
}

/**
 * A key is tried once; one that has taken its place since, by the same name, is another. Where the provider itself has failed,
 * its other keys would be of no use.
 */
function rulesOut({ way, failure }: Failed, other: CallWay): boolean {
  const isOfProvider = failure === 'overloaded' || failure === 'broken' || failure === 'unanswered';
  return other.key === way.key || (isOfProvider && other.provider === way.provider);
}

function endingWith(turn: Turn, end: () => void): Turn {
  return {
    ...turn,
    settle(outcome) {
      end();
      return turn.settle(outcome);
    },
  };
}
