/** A call: whoever pays is charged an estimate, then it goes by one way after the other until there is an answer. */
import { attempt, type Failed, type Post } from './attempt.js';
import { deliver } from './delivery.js';
import type { Headroom } from './headroom.js';
import type { Draw, Payer } from './payer.js';
import { final, fromGate, inVain, type OwnRefusal } from './refusals.js';
import type { Asked } from './request.js';
import type { CallWay } from './way.js';

export interface Site extends Post {
  readonly headroom: Headroom;
  /** The ways that a call for this model can go by now, best first. */
  waysOf(asked: Asked, model: string | undefined): readonly CallWay[];
  /** Why there is none. */
  noWay(asked: Asked, model: string | undefined): OwnRefusal;
}

/**
 * Goes by each way once at most, and by no other once an answer has begun.
 *
 * @param payer `undefined` where nothing is to be paid
 * @param model to be served by
 */
export async function answerTo(
  site: Site,
  asked: Asked,
  payer: Payer | undefined,
  model: string | undefined,
): Promise<Response> {
  const { request } = asked;
  const signal = eitherOf(request.signal, payer?.signal);
  const tried = new Set<string>();
  const failures: Failed[] = [];
  let draw: Draw | undefined;
  let mayBeBilled = false;
  try {
    for (;;) {
      const ways = site.waysOf(asked, model).filter(({ name }) => !tried.has(name));
      const isGone = failures.some(wasSent) && !request.canRepeat;
      if (ways.length === 0 || isGone) return inVain(asked, failures, site.noWay(asked, model));
      if (draw === undefined && payer !== undefined) {
        const drawn = await payer.draw();
        if (!drawn.admitted) return inVain(asked, failures, fromGate(drawn.refusal));
        draw = drawn.draw;
      }
      const turn = await site.headroom.turn(ways, asked, payer?.request, signal);
      if ('refusal' in turn) return inVain(asked, failures, fromGate(turn.refusal));
      tried.add(turn.way.name);
      mayBeBilled = true;
      const attempted = await attempt({ post: site, asked, turn, signal }, failures.length + 1);
      if ('answer' in attempted) {
        const account = { asked, turn, draw, close: async () => payer?.close() };
        draw = undefined;
        payer = undefined;
        const answer = await deliver(attempted.answer, account);
        return attempted.isError && failures.length > 0 ? final(answer) : answer;
      }
      failures.push(attempted);
      mayBeBilled = attempted.mayBeBilled;
      if (mayBeBilled) {
        // It stands as estimated, and what comes next is charged anew.
        draw?.settle({ outcome: 'failed' });
        draw = undefined;
      }
    }
  } finally {
    draw?.settle({ outcome: mayBeBilled ? 'failed' : 'ignored' });
    await payer?.close();
  }
}

function wasSent({ failure }: Failed): boolean {
  return failure !== 'no secret';
}

function eitherOf(a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined {
  return a && b ? AbortSignal.any([a, b]) : (a ?? b);
}
