/** What was spent and is lost is spent again: by settlings that are never given up, and go before all else. */
import { warn } from '../../errors.js';
import { MOST_ENTRIES, type Operation, type Origin, originOf, type Settle } from './operation.js';
import { epochIn, gapsIn } from './reply.js';
import type { Noted, Spend, SpendLedger } from './spend-ledger.js';

/**
 * Those of what a reply says is lost.
 *
 * @param answered the calls that Redis had to know of
 */
export function respendsOf(
  ledger: SpendLedger,
  reply: Buffer,
  answered: readonly Noted[],
  now: number,
): readonly Settle[] {
  const again: Origin = { epoch: epochIn(reply) };
  const spends = ledger.takeLost(gapsIn(reply, answered), again);
  const respends: Settle[] = [];
  for (let i = 0; i < spends.length; i += MOST_ENTRIES) {
    respends.push(respendOf(spends.slice(i, i + MOST_ENTRIES), again, now));
  }
  if (spends.length > 0) {
    const message = 'Redis has lost what it had answered, as in a failover. What was spent is spent again.';
    warn('TOLLGATE_SPEND_LOST', message);
  }
  return respends;
}

function respendOf(spends: readonly Spend[], again: Origin, now: number): Settle {
  return {
    kind: 'settle',
    entries: spends.map(({ entry, amount }) => ({ ...entry, cost: Math.max(0, -amount), settling: undefined })),
    actual: spends.map(({ amount }) => Math.max(0, amount)),
    goesOn: false,
    again,
    now,
    at: performance.now(),
    givenUp: false,
    resolve() {},
    reject() {},
  };
}

export function isRespend(operation: Operation): boolean {
  return operation.kind === 'settle' && operation.again !== undefined;
}

/** Those that were done stand in the epoch of the reply: data may have been lost once more since they were made. */
export function noteEpoch(operations: readonly Operation[], reply: Buffer): void {
  for (const operation of operations) {
    if (operation.kind === 'settle' && operation.again) originOf({ origin: operation.again }).epoch = epochIn(reply);
  }
}

/** What was given back of what is spent again comes behind that, as it did. */
export function respendsFirst(operations: readonly Operation[]): Operation[] {
  return [...operations.filter(isRespend), ...operations.filter((operation) => !isRespend(operation))];
}
