/** Tells those who wait what came of a batch. */
import type { NotTaken, Receipt, Taken } from '../store.js';
import type { Batch } from './batch.js';
import type { RedisEntry, Take } from './operation.js';
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

  /** Returns what was spent. */
  return ({ steps }: Batch, reply: Buffer): readonly Spend[] => {
    const reading = readingOf(reply);
    const spends: Spend[] = [];
    for (const step of steps) {
      switch (step.kind) {
        case 'take':
          spends.push(...taken(step, reading.take(step)));
          break;
        case 'run':
          for (const [i, result] of reading.run(step).entries()) spends.push(...taken(step.takes[i], result));
          break;
        case 'settle': {
          const before = hasLedger ? step.entries.map(({ cost }) => cost) : undefined;
          reading.settle(step);
          if (before !== undefined) spends.push(...changesOf(step.entries as readonly RedisEntry[], before));
          step.resolve();
          break;
        }
        case 'observe':
          step.resolve(reading.observe());
          break;
        case 'peek':
          step.resolve(reading.peek(step));
      }
    }
    return spends;
  };
}

const NOTHING: readonly Spend[] = [];
