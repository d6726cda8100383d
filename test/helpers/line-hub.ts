/**
 * A store that several gates share, each by a seat of its own, and by which their lines keep one order. It only counts what
 * is in use: no time passes in it.
 */
import type { Store } from '@tollgate/core';

type SharedLine = NonNullable<Store['line']>;
type Meter = Parameters<SharedLine['waits']>[0];
type Key = Parameters<SharedLine['waits']>[1];
type Alternative = Parameters<Store['take']>[0]['alternatives'][number];
type Charge = Alternative['bills'][number]['charges'][number];

interface Head {
  readonly seat: number;
  readonly score: number;
}

interface Seat {
  readonly heads: Map<string, { readonly meter: Meter; readonly key: Key; readonly score: number }>;
  readonly listeners: Set<(meter: Meter, key: Key) => void>;
}

/** @param isDeaf nobody is ever told of room */
export function lineHub(isDeaf = false): { join(): Store } {
  const inUse = new Map<string, number>();
  const seats: Seat[] = [];
  const nameOf = ({ id }: Meter, key: Key) => JSON.stringify([id, key]);
  const keyOf = ({ meter }: Charge, { who }: Pick<Alternative, 'who'>) => meter.scope.at.map((at) => who[at]);

  function firstElsewhere(name: string, seat: number): Head | undefined {
    const heads = seats.flatMap(({ heads }, other): Head[] => {
      const head = heads.get(name);
      return head && other !== seat ? [{ seat: other, score: head.score }] : [];
    });
    return heads.toSorted((a, b) => a.score - b.score || a.seat - b.seat)[0];
  }

  function wake(name: string, seat: number): void {
    if (isDeaf) return;
    queueMicrotask(() => {
      const head = seats[seat].heads.get(name);
      if (head) for (const listener of seats[seat].listeners) listener(head.meter, head.key);
    });
  }

  function join(): Store {
    const self = seats.length;
    const seat: Seat = { heads: new Map(), listeners: new Set() };
    seats.push(seat);

    function isBehind(name: string, score: number): boolean {
      const first = firstElsewhere(name, self);
      if (first === undefined || first.score > score || (first.score === score && first.seat > self)) return false;
      wake(name, first.seat);
      return true;
    }

    function usagesOf(way: Alternative, score?: number) {
      const usages = way.bills.flatMap(({ charges }) =>
        charges.map((charge) => {
          const key = keyOf(charge, way);
          const used = inUse.get(nameOf(charge.meter, key)) ?? 0;
          const waitMs = used + charge.cost <= charge.limit ? 0 : 60_000;
          return { charge, key, used, waitMs, refillMs: waitMs };
        }),
      );
      if (score === undefined || usages.some(({ waitMs }) => waitMs > 0)) return usages;
      return usages.map((usage) => {
        const { charge, key } = usage;
        const isWaitedFor = charge.whenFull === 'wait' && charge.cost > 0;
        return isWaitedFor && isBehind(nameOf(charge.meter, key), score)
          ? { ...usage, waitMs: 1, isBehind: true as const }
          : usage;
      });
    }

    return {
      take({ alternatives, score }, now) {
        const refused = alternatives.map((way) => usagesOf(way, score));
        const taken = refused.findIndex((usages) => usages.every(({ waitMs }) => waitMs === 0));
        if (taken < 0) return { refused };
        const { who } = alternatives[taken];
        const receipt = refused[taken].map(({ charge, key, used }) => {
          inUse.set(nameOf(charge.meter, key), used + charge.cost);
          const place = charge.rule.kind === 'slots' ? Math.floor(now / charge.rule.leaseMs) : 0;
          return { charge, who, cost: charge.cost, place, used: undefined };
        });
        return { taken, receipt, shadowRefused: [] };
      },
      settle(entries, actual) {
        for (const [i, entry] of entries.entries()) {
          const name = nameOf(entry.charge.meter, keyOf(entry.charge, entry));
          inUse.set(name, (inUse.get(name) ?? 0) - entry.cost + actual[i]);
          entry.cost = actual[i];
          const first = firstElsewhere(name, self);
          if (first) wake(name, first.seat);
        }
      },
      peek: (who, bills) => usagesOf({ name: '', who, bills }),
      line: {
        waits(meter, key, score) {
          const name = nameOf(meter, key);
          const before = seat.heads.get(name)?.score;
          if (score === undefined) seat.heads.delete(name);
          else seat.heads.set(name, { meter, key, score });
          const first = firstElsewhere(name, self);
          if (first && before !== undefined && (score === undefined || score > before)) wake(name, first.seat);
        },
        onRoom(listener) {
          seat.listeners.add(listener);
          return () => void seat.listeners.delete(listener);
        },
      },
      close() {},
    };
  }

  return { join };
}
