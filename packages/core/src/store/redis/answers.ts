/** Tells those who wait what came of a batch. */
import type { NotTaken, Receipt, Taken } from '../store.js';
import type { Batch } from './batch.js';
import type { Operation, RedisEntry, Settle, Take } from './operation.js';
import { readingOf } from './reply.js';
import { changesOf, type Spend, spendsOf } from './spend-ledger.js';

/**
 * @param giveBack gives back what was charged for nobody
 * @param hasLedger what was spent is wanted
 */
export function createAnswers(giveBack: (receipt: Receipt, now: number) => void, hasLedger: boolean) {
  function taken(take: Take, result: Taken | NotTaken): readonly Spend[] {
    if (!take.givenUp) take.resolve(result);
    else if ('receipt' in result && result.receipt.length > 0) giveBack(result.receipt, take.now);
    return hasLedger && 'receipt' in result ? spendsOf(result.receipt as readonly RedisEntry[]) : NOTHING;
  }

  /** @param before the costs of its entries, where what was spent is wanted */
  function settled(settle: Settle, before: readonly number[] | undefined): readonly Spend[] {
    settle.resolve();
    return before === undefined ? NOTHING : changesOf(settle, before);
  }

  /** Returns what was spent. */
  return ({ steps: { run, first, others } }: Batch, reply: Buffer): readonly Spend[] => {
    const reading = readingOf(reply);
    const spends: Spend[] = [];

    function tellAll(operations: readonly Operation[]): void {
      for (const operation of operations) {
        switch (operation.kind) {
          case 'take':
            spends.push(...taken(operation, reading.take(operation)));
            break;
          case 'settle': {
            const before = hasLedger ? costsOf(operation) : undefined;
            reading.settle(operation);
            spends.push(...settled(operation, before));
            break;
          }
          case 'observe':
            operation.resolve(reading.observe());
            break;
          case 'peek':
            operation.resolve(reading.peek(operation));
        }
      }
    }

    if (reading.areSettled) {
      const before = hasLedger ? run.settles.map(costsOf) : NOTHING;
      reading.settleAll(run);
      for (let i = 0; i < run.settles.length; i++) spends.push(...settled(run.settles[i], before[i]));
    } else tellAll(run.settles);
    tellAll(first);
    if (reading.areTaken) {
      const results = reading.takeAll(run);
      for (let i = 0; i < results.length; i++) spends.push(...taken(run.takes[i], results[i]));
    } else tellAll(run.takes);
    tellAll(others);
    return spends;
  };
}

const NOTHING: readonly never[] = [];

function costsOf({ entries }: Settle): number[] {
  return entries.map(({ cost }) => cost);
}
