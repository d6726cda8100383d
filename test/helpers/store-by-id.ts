/** A store in memory for gates of several processes: they tell meters apart as objects, and here their ids do. */
import { type Bill, type Charge, type Meter, memoryStore, type NotTaken, type Store, type Taken } from '@tollgate/core';

export function storeById(): Store {
  const memory = memoryStore();
  const meters = new Map<string, Meter>();
  const scopes = new Map<string, Meter['scope']>();

  function known(meter: Meter): Meter {
    const by = JSON.stringify(meter.scope.by);
    const scope = scopes.get(by) ?? meter.scope;
    scopes.set(by, scope);
    const one = meters.get(meter.id) ?? { ...meter, scope };
    meters.set(meter.id, one);
    return one;
  }

  /** Bills as they are here, and how to name what is told of them. */
  function translate(bills: readonly Bill[]) {
    const originals = new Map<Charge, Charge>();
    const here = bills.map(({ charges }) => {
      const own = charges.map((charge) => {
        const one = { ...charge, meter: known(charge.meter) };
        originals.set(one, charge);
        return one;
      });
      return { scope: own[0].meter.scope, charges: own };
    });
    const back = <T extends { charge: Charge }>(told: T): T => ({
      ...told,
      charge: originals.get(told.charge) as Charge,
    });
    return { here, back };
  }

  return {
    ...memory,
    take(request, now) {
      const ways = request.alternatives.map(({ bills }) => translate(bills));
      const alternatives = request.alternatives.map((way, i) => ({ ...way, bills: ways[i].here }));
      const result = memory.take({ ...request, alternatives }, now) as Taken | NotTaken;
      if ('refused' in result) return { refused: result.refused.map((usages, i) => usages.map(ways[i].back)) };
      const { back } = ways[result.taken];
      const { receipt, shadowRefused, usages } = result;
      return {
        ...result,
        receipt: receipt.map(back),
        shadowRefused: shadowRefused.map(back),
        usages: usages?.map(back),
      };
    },
    settle(entries, actual, now, goesOn) {
      const charges = entries.map(({ charge }) => charge);
      for (const entry of entries) entry.charge = { ...entry.charge, meter: known(entry.charge.meter) };
      void memory.settle(entries, actual, now, goesOn);
      for (const [i, entry] of entries.entries()) entry.charge = charges[i];
    },
    async peek(who, bills, now) {
      const { here, back } = translate(bills);
      return (await memory.peek(who, here, now)).map(back);
    },
  };
}
