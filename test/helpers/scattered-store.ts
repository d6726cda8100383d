/** A store whose steps are done when, and in the order that, the test says. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { NotTaken, Store, Taken, Usage } from '@tollgate/core';

/** Sees the steps of a store that are asked for within its context: told when one is asked for, and by what is returned when it is done. */
export interface Witness {
  /** Steps of one owner keep their order; what it takes may come at any time, where its takes are free. */
  readonly owner: object;
  readonly freeTakes?: boolean;
  /** Its answers may be lost. */
  readonly mayFail?: boolean;
  take?(now: number): (result: Taken | NotTaken) => void;
  settle?(now: number): () => void;
}

export const LOST = 'lost on the wire';

/** How a step's answer is lost: it was never done, or it was. */
export type Fault = 'before' | 'after';

/**
 * A store whose answers are promises and whose steps, each atomic, are done when and in the order that the test says. What is
 * asked outside of any context is answered at once.
 */
export function scattered(inner: Store) {
  const context = new AsyncLocalStorage<Witness>();
  /** Of what is settled, who saw it asked for: that sees it asked for again, too. */
  const witnesses = new WeakMap<object, Witness>();
  const queue: { readonly owner: object; run(fault: Fault | undefined): void }[] = [];

  function ask<T>(
    what: keyof Store,
    step: () => T,
    seen: ((witness: Witness) => ((result: T) => void) | undefined) | undefined,
    witness = context.getStore(),
  ): T | Promise<T> {
    if (witness === undefined) return step();
    const done = seen?.(witness);
    return new Promise<T>((resolve, reject) => {
      const run = (chosen: Fault | undefined) => {
        const fault = witness.mayFail ? chosen : undefined;
        if (fault === 'before') return reject(new Error(LOST));
        const result = step();
        done?.(result);
        if (fault === 'after') reject(new Error(LOST));
        else resolve(result);
      };
      queue.push({ owner: what === 'take' && witness.freeTakes ? {} : witness.owner, run });
    });
  }

  const store: Store = {
    take: (request, now) =>
      ask(
        'take',
        () => inner.take(request, now) as Taken | NotTaken,
        (witness) => witness.take?.(now),
      ),
    settle(receipt, actual, now, goesOn) {
      const witness = witnesses.get(actual) ?? context.getStore();
      if (witness) witnesses.set(actual, witness);
      return ask(
        'settle',
        () => void inner.settle(receipt, actual, now, goesOn),
        (witness) => witness.settle?.(now),
        witness,
      );
    },
    peek: (who, bills, now) => ask('peek', () => inner.peek(who, bills, now) as readonly Usage[], undefined),
    close: () => inner.close(),
  };

  return {
    store,
    within: <T>(witness: Witness, act: () => T): T => context.run(witness, act),
    waiting: () => queue.length,
    /** Does one of the steps that are next of their owner. */
    run(nth: number, fault?: Fault): void {
      const owners = new Set<object>();
      const next = queue.filter(({ owner }) => !owners.has(owner) && owners.add(owner));
      if (next.length === 0) return;
      const [step] = queue.splice(queue.indexOf(next[nth % next.length]), 1);
      step.run(fault);
    },
  };
}
