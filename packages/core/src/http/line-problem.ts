/** The refusals of a line, and their words: what is short is the service's capacity, and none of the caller's quotas. */
import type { TurnedAway, TurnedAwayFor } from '../line/waiter.js';
import { isOwn, statesOf } from '../meters/layer-state.js';
import { KINDS, type Refusal } from './problem.js';
import { duration, number } from './wording.js';

/** @param fairBy the dimension of which a value may have so many waiting */
export function lineRefusal(id: string, turnedAway: TurnedAway, fairBy: string | undefined): Refusal {
  const { why, outlook, usages, retryAfterMs } = turnedAway;
  const layers = statesOf(usages);
  return {
    id,
    reason: why,
    layer: why === 'shed' || why === 'line-full' ? undefined : outlook?.usage.charge.meter.name,
    status: KINDS[why].status,
    title: KINDS[why].title,
    detail: `${DETAILS[why](turnedAway, fairBy)} Try again in ${duration(retryAfterMs)}.`,
    retryAfterMs,
    resetsAt: undefined,
    position: outlook?.position,
    expectedWaitMs: outlook?.expectedMs,
    violated: layers.filter(({ mode, retryAfterMs: waitMs }) => mode === 'enforce' && waitMs !== 0),
    layers,
  };
}

const DETAILS: Record<TurnedAwayFor, (turnedAway: TurnedAway, fairBy: string | undefined) => string> = {
  shed: ({ priority, waitedMs, bound }, fairBy) => {
    const waited = waitedMs > 0 ? `This request has waited ${duration(waitedMs)}, as long as it may. ` : '';
    const why =
      bound === 'each' ? `Your ${fairBy} asks for more than its share` : 'There is more to do than can be done';
    return `${waited}${why}, and requests of the priority '${priority}' are not served for now.`;
  },
  'line-full': ({ bound, waitedMs }, fairBy) => {
    const whose = bound === 'each' && fairBy !== undefined ? ` of your ${fairBy}` : '';
    return waitedMs > 0
      ? `This request has waited ${duration(waitedMs)}, and by now the line is full of requests${whose} that go first.`
      : `The line is full: no more requests${whose} may wait.`;
  },
  'too-long-wait': ({ maxWaitMs, outlook }) => {
    if (maxWaitMs === 0) return `Others wait already${forWhat(outlook)}, and this request may not wait.`;
    const at = outlook && outlook.position > 1 ? ` as number ${number(outlook.position)} in the line` : '';
    const about = outlook?.expectedMs === undefined ? 'longer' : `about ${duration(outlook.expectedMs)}`;
    return `This request would wait ${about}${forWhat(outlook)}${at}; it may wait ${duration(maxWaitMs)}.`;
  },
  'waited-too-long': ({ waitedMs, outlook }) => {
    const at = outlook === undefined ? '' : `; it was number ${number(outlook.position)} in the line`;
    return `This request has waited ${duration(waitedMs)}${forWhat(outlook)}, as long as it may${at}.`;
  },
};

/** Of what counts the caller alone, that it does. */
function forWhat(outlook: TurnedAway['outlook']): string {
  if (outlook === undefined) return '';
  const { charge, key } = outlook.usage;
  const { name, scope } = charge.meter;
  return isOwn(scope, key) ? ` for your own share of '${name}'` : ` for '${name}'`;
}
