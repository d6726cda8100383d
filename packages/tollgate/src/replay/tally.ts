/** Sums up what a gate says while it runs. */
import type { Tollgate, TollgateEvents } from '@tollgate/core';

/** What a layer did. */
export interface LayerTally {
  readonly refused: number;
  /** What it would have refused, where it is on trial. */
  readonly shadowRefused: number;
  /** Requests that began to wait for it. */
  readonly delayed: number;
}

export interface Waits {
  readonly count: number;
  /** Milliseconds; 0 where none waited. */
  readonly p50: number;
  readonly p95: number;
  readonly longest: number;
}

/** What a policy comes to. */
export interface Tally {
  readonly asked: number;
  readonly admitted: number;
  readonly refused: number;
  /** Left the line before it was their turn. */
  readonly withdrawn: number;
  /** By reason, such as `limit`, `budget` or `shed`. */
  readonly reasons: Readonly<Record<string, number>>;
  readonly layers: Readonly<Record<string, LayerTally>>;
  /** `'opus → haiku'`, and how often. */
  readonly degraded: Readonly<Record<string, number>>;
  readonly waits: Waits;
  /** The highest level of shedding, and how often it changed. */
  readonly shedding: { readonly highest: number; readonly changes: number };
  /** What was charged in the end, in nano-dollars, and its tokens. */
  readonly cost: { readonly usd: number; readonly inputTokens: number; readonly outputTokens: number };
  /** The same by model. */
  readonly models: Readonly<Record<string, { readonly requests: number; readonly usd: number }>>;
  /** `'company 80 %'`, and how often somebody was told. */
  readonly alerts: Readonly<Record<string, number>>;
}

/** Provisional ends that are kept to be corrected; the oldest are forgotten. */
const MAX_PROVISIONAL = 50_000;

/** @returns what the gate's events have come to by the time it is called */
export function tallyOf(gate: Tollgate): () => Tally {
  const counts = { asked: 0, admitted: 0, refused: 0, withdrawn: 0 };
  const reasons = new Map<string, number>();
  const layers = new Map<string, { refused: number; shadowRefused: number; delayed: number }>();
  const degraded = new Map<string, number>();
  const alerts = new Map<string, number>();
  const models = new Map<string, { requests: number; usd: number }>();
  const waits: number[] = [];
  const shedding = { highest: 0, changes: 0 };
  /** What each open admission has been charged by a provisional end, to be corrected by another one. */
  const charged = new Map<string, TollgateEvents['settled']['actual']>();
  const cost = { usd: 0, inputTokens: 0, outputTokens: 0 };

  function layer(name = 'no layer') {
    const known = layers.get(name) ?? { refused: 0, shadowRefused: 0, delayed: 0 };
    layers.set(name, known);
    return known;
  }

  function book({ id, actual, model, provisional }: TollgateEvents['settled']): void {
    const before = charged.get(id);
    const served = model ?? 'no model';
    const sum = models.get(served) ?? { requests: 0, usd: 0 };
    if (before === undefined) sum.requests++;
    sum.usd += (actual?.usd ?? 0) - (before?.usd ?? 0);
    models.set(served, sum);
    cost.usd += (actual?.usd ?? 0) - (before?.usd ?? 0);
    cost.inputTokens += (actual?.inputTokens ?? 0) - (before?.inputTokens ?? 0);
    cost.outputTokens += (actual?.outputTokens ?? 0) - (before?.outputTokens ?? 0);
    charged.delete(id);
    if (!provisional) return;
    charged.set(id, actual);
    if (charged.size > MAX_PROVISIONAL) charged.delete(charged.keys().next().value as string);
  }

  gate.on('asked', ({ kind }) => {
    if (kind === 'request') counts.asked++;
  });
  gate.on('admitted', ({ extended, waitedMs }) => {
    if (extended) return;
    counts.admitted++;
    if (waitedMs > 0) waits.push(waitedMs);
  });
  gate.on('refused', ({ refusal }) => {
    counts.refused++;
    increment(reasons, refusal.reason);
    layer(refusal.layer).refused++;
  });
  gate.on('withdrawn', () => void counts.withdrawn++);
  gate.on('queued', (event) => void layer(event.layer ?? 'shed').delayed++);
  gate.on('shadow.refused', (event) => void layer(event.layer.layer).shadowRefused++);
  gate.on('degraded', ({ from, to }) => increment(degraded, `${from} → ${to}`));
  gate.on('budget.threshold', ({ budget, threshold }) =>
    increment(alerts, `${budget} ${Math.round(threshold * 100)} %`),
  );
  gate.on('shed.level', ({ to }) => {
    shedding.changes++;
    shedding.highest = Math.max(shedding.highest, to);
  });
  gate.on('settled', book);

  return () => ({
    ...counts,
    reasons: Object.fromEntries(reasons),
    layers: Object.fromEntries(layers),
    degraded: Object.fromEntries(degraded),
    waits: waitsOf(waits),
    shedding: { ...shedding },
    cost: { ...cost },
    models: Object.fromEntries(models),
    alerts: Object.fromEntries(alerts),
  });
}

export function increment(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function waitsOf(waits: readonly number[]): Waits {
  const sorted = Float64Array.from(waits).sort();
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { count: sorted.length, p50: at(0.5), p95: at(0.95), longest: sorted.at(-1) ?? 0 };
}
