/** Counts what the gate tells in its events; nothing here asks the app or its clients. */
import type { AdmitRequest, RefusalReason, TokenCounts } from '@tollgate/core';
import type { Gate } from './gate.js';

export interface Counts {
  admitted: number;
  refused: number;
  /** Those of the refused that a budget refused, by 402. */
  overBudget: number;
}

export interface Tokens {
  inputTokens: number;
  outputTokens: number;
}

export interface Tally {
  /** By user, then by feature. */
  readonly users: ReadonlyMap<string, ReadonlyMap<string, Counts>>;
  /** How many requests of each user each model was to serve. The model that came last is the last one. */
  readonly models: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Requests that each layer did not let pass; one in shadow mode only would not have. */
  readonly refusedBy: ReadonlyMap<string, number>;
  readonly reasons: Readonly<Partial<Record<RefusalReason, number>>>;
  /** Admissions that the app settled itself; of the others the estimate stands. */
  readonly settled: Readonly<Record<'succeeded' | 'failed' | 'ignored', number>>;
  /** Of the admissions that have been settled with their usage. */
  readonly estimated: Readonly<Tokens>;
  readonly actual: Readonly<Tokens>;
}

export function keepTally(gate: Gate): Tally {
  const users = new Map<string, Map<string, Counts>>();
  const models = new Map<string, Map<string, number>>();
  const refusedBy = new Map<string, number>();
  const reasons: Partial<Record<RefusalReason, number>> = {};
  const settled = { succeeded: 0, failed: 0, ignored: 0 };
  const estimated = { inputTokens: 0, outputTokens: 0 };
  const actual = { inputTokens: 0, outputTokens: 0 };

  gate.on('admitted', ({ request, model = '', extended }) => {
    if (extended) return;
    countsOf(request).admitted++;
    const served = entry(models, String(request.subject?.user), () => new Map<string, number>());
    const before = served.get(model) ?? 0;
    served.delete(model);
    served.set(model, before + 1);
  });
  gate.on('refused', ({ request, refusal }) => {
    const counts = countsOf(request);
    counts.refused++;
    if (refusal.reason === 'budget') counts.overBudget++;
    reasons[refusal.reason] = (reasons[refusal.reason] ?? 0) + 1;
    for (const { layer, retryAfterMs } of refusal.layers) if (retryAfterMs !== 0) increment(refusedBy, layer);
  });
  gate.on('shadow.refused', ({ layer }) => increment(refusedBy, layer.layer));
  gate.on('settled', ({ outcome, cost, usage, provisional }) => {
    if (provisional) return;
    settled[outcome]++;
    if (!usage) return;
    add(estimated, cost);
    add(actual, usage);
  });

  function countsOf({ subject, feature = '' }: AdmitRequest): Counts {
    return entry(
      entry(users, String(subject?.user), () => new Map<string, Counts>()),
      feature,
      () => ({ admitted: 0, refused: 0, overBudget: 0 }),
    );
  }

  return { users, models, refusedBy, reasons, settled, estimated, actual };
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key) ?? make();
  map.set(key, found);
  return found;
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function add(sum: Tokens, { inputTokens = 0, outputTokens = 0 }: TokenCounts): void {
  sum.inputTokens += inputTokens;
  sum.outputTokens += outputTokens;
}
