/** From a request to one that comes to the line: how urgent it is, how long it may wait, and whose share it counts for. */
import { wrongValue } from './errors.js';
import type { FairKey } from './line/fairness.js';
import type { Entrant } from './line/waiter.js';
import { readerOf, whoAsks } from './meters/keys.js';
import type { AdmitRequest, Dimension, Priority } from './request.js';
import { NO_SUBJECT, type Offer, renewed, type Terms } from './terms.js';
import { parseWait } from './units.js';

const PRIORITIES: readonly unknown[] = ['interactive', 'standard', 'batch', 'background'] satisfies Priority[];

/**
 * @param terms the gate's present ones
 * @throws TollgateError `TOLLGATE_REQUEST_INVALID` for a priority, a wait or a preference that is none
 */
export function entrantOf(
  terms: () => Terms,
  request: AdmitRequest,
  offers: readonly Offer[],
  signal: AbortSignal | undefined,
  told: Pick<Entrant<Offer>, 'queued' | 'withdrawn'>,
): Entrant<Offer> {
  const { priority = 'standard', maxWait, whenShed = 'refuse' } = request;
  if (!PRIORITIES.includes(priority)) {
    throw wrong('priority', priority, "'interactive', 'standard', 'batch' or 'background'");
  }
  if (whenShed !== 'refuse' && whenShed !== 'delay') throw wrong('whenShed', whenShed, "'refuse' or 'delay'");
  const maxWaitMs = maxWait === undefined ? undefined : parseWait(maxWait);
  if (maxWait !== undefined && maxWaitMs === undefined) {
    throw wrong('maxWait', maxWait, "a duration such as '10s', or '0s' for no wait");
  }
  return {
    priority,
    fairKey: fairKeyOf(terms(), request, offers[0]),
    whenShed,
    maxWaitMs,
    signal,
    alternatives: offers,
    renewed: (at) => renewed(terms(), request, offers, at),
    ...told,
  };
}

function fairKeyOf({ queue, plan }: Terms, request: AdmitRequest, { model }: Offer): FairKey {
  const dimension: Dimension | undefined = queue?.fairBy;
  if (dimension === undefined) return undefined;
  return whoAsks([dimension], [readerOf(dimension)], request.subject ?? NO_SUBJECT, request, model, plan.warned)[0];
}

function wrong(field: string, value: unknown, expected: string) {
  return wrongValue('TOLLGATE_REQUEST_INVALID', field, value, expected);
}
