/**
 * How loaded the lines are that all requests share: what is shed goes by it. Those of one tenant or model say nothing of the
 * others'.
 *
 * It is told as one sees it who comes now and has asked for nothing before: what a tenant has waiting beyond its share is
 * behind that one, and no reason to shed anything.
 */
import type { Priority } from '../request.js';
import type { Alternative } from '../store/store.js';
import type { FairKey } from './fairness.js';
import { noteStart, paceOf } from './pace.js';
import { byPriority, PRIORITIES } from './priorities.js';
import type { QueueTerms } from './queue-options.js';
import { type Ageing, scoreOf } from './score.js';
import type { OverloadSignals } from './shedding.js';
import { aheadOf, rateOf, type Station, type Stations } from './station.js';

const NOBODY_AHEAD = byPriority(() => 0);

/** A request asks for what it costs, be it served or not. */
export function noteAsked<W extends object>(
  { shared }: Stations<W>,
  priority: Priority,
  { bills }: Alternative,
  now: number,
): void {
  for (const { meter, asked } of shared) {
    for (const { scope, charges } of bills) {
      if (scope !== meter.scope) continue;
      for (const charge of charges) if (charge.meter === meter) noteStart(asked[priority], charge.cost, now);
    }
  }
}

export function loadOf<W extends object>(
  { maxDepth, patienceMs, ageing }: QueueTerms,
  { shared }: Stations<W>,
  now: number,
): OverloadSignals {
  const ahead = byPriority(() => 0);
  const expectedWaitMs = byPriority(() => 0);
  let slots: OverloadSignals['slots'];
  for (const station of shared) {
    if (station.queue.size === 0) continue;
    for (const priority of PRIORITIES) {
      const { count, cost } = aheadOf(station, scoreOf(ageing, priority, now));
      ahead[priority] = Math.max(ahead[priority], count);
      expectedWaitMs[priority] = Math.max(expectedWaitMs[priority], msFor(station, cost, priority, ageing, now));
    }
    const { charge, used } = station.seen ?? {};
    // Where all slots rest there is no telling how many there will be.
    if (charge?.rule.kind === 'slots' && charge.limit >= 1) slots ??= { inUse: used ?? 0, limit: charge.limit };
  }
  return { ahead, maxDepth, expectedWaitMs, patienceMs, slots };
}

/** What a key has asked for beyond its share, as it sees that itself: how long it waits for it. */
export function ownLoadOf<W extends object>(
  { maxDepth, patienceMs }: QueueTerms,
  { shared }: Stations<W>,
  key: FairKey,
  now: number,
): OverloadSignals {
  const expectedWaitMs = byPriority(() => 0);
  for (const station of shared) {
    for (const priority of PRIORITIES) {
      const waitMs = station.fairness[priority]?.waitMs(key, rateOf(station, priority, now)) ?? 0;
      expectedWaitMs[priority] = Math.max(expectedWaitMs[priority], waitMs);
    }
  }
  return { ahead: NOBODY_AHEAD, maxDepth, expectedWaitMs, patienceMs };
}

/**
 * Milliseconds until a priority begins that has so much before it, and more that comes meanwhile: what is above it asks on
 * as it did of late, and goes first until ageing makes up for it. 0 where the pace isn't known.
 */
function msFor<W extends object>(
  { pace, asked }: Station<W>,
  ahead: number,
  priority: Priority,
  ageing: Ageing,
  now: number,
): number {
  const whole = paceOf(pace, now);
  if (whole === 0) return 0;
  const above = PRIORITIES.slice(0, PRIORITIES.indexOf(priority));
  let rate = above.reduce((left, one) => left - paceOf(asked[one], now), whole);
  let cost = ahead;
  // From the one that is caught up with first.
  for (const one of above.reverse()) {
    const gapMs = ageing[priority] - ageing[one];
    if (rate > 0 && cost <= rate * gapMs) break;
    cost += paceOf(asked[one], now) * gapMs;
    rate += paceOf(asked[one], now);
  }
  return cost / rate;
}
