/** Four kinds of traffic that ask together for twice what can be done. Plain data, and the jobs that a seed makes of it. */
import type { Priority } from '@tollgate/core';
import { random } from '../random.js';

export interface Kind {
  readonly kind: string;
  readonly priority: Priority;
  /** Mean milliseconds that a job of it runs, on the best model. */
  readonly runsMs: number;
  /** The part of the capacity that it asks for in each phase: 1 is all of it. */
  readonly asks: readonly number[];
  /** Whose jobs they are, each as often. */
  readonly tenants: readonly string[];
}

export interface Job {
  readonly kind: Kind;
  readonly tenant: string;
  /** When it comes, in milliseconds since the beginning. */
  readonly at: number;
  /** Milliseconds that it runs on the best model. */
  readonly runsMs: number;
}

/** Jobs that run at once. */
export const SLOTS = 16;

/** All ask for the first. */
export const LADDER = ['sage-large', 'sage-medium'] as const;

/** How many times as fast as the first model of the ladder the second is. */
export const CHEAPER_SPEED = 2;

/** How long a job of each priority waits at most, in milliseconds. */
export const PATIENCE_MS: Readonly<Record<Priority, number>> = {
  interactive: 10_000,
  standard: 30_000,
  batch: 180_000,
  background: 300_000,
};

const PHASE_MS = 120_000;

const EVERYBODY = ['acme', 'orbit', 'hog'];
const MOSTLY_HOG = ['acme', 'orbit', 'hog', 'hog', 'hog'];

/** Twice the capacity in each phase. In the second, chat and documents alone ask for more than there is. */
export const KINDS: readonly Kind[] = [
  { kind: 'chat', priority: 'interactive', runsMs: 2000, asks: [0.3, 0.6, 0.3], tenants: EVERYBODY },
  { kind: 'documents', priority: 'standard', runsMs: 4000, asks: [0.4, 0.8, 0.4], tenants: EVERYBODY },
  { kind: 'summaries', priority: 'batch', runsMs: 4000, asks: [0.6, 0.3, 0.6], tenants: MOSTLY_HOG },
  { kind: 're-indexing', priority: 'background', runsMs: 3000, asks: [0.7, 0.3, 0.7], tenants: MOSTLY_HOG },
];

/** How long they come for, in all phases together. */
export const MINUTES = (KINDS[0].asks.length * PHASE_MS) / 60_000;

/** In the order in which they come. */
export function jobsOf(seed: number): Job[] {
  return KINDS.flatMap((kind) => jobsOfKind(kind, seed)).sort((a, b) => a.at - b.at);
}

function jobsOfKind(kind: Kind, seed: number): Job[] {
  const { runsMs, asks, tenants } = kind;
  const dice = random(seed, `overload ${kind.kind}`);
  return asks.flatMap((share, phase) => {
    const jobs: Job[] = [];
    const meanPauseMs = runsMs / (share * SLOTS);
    let at = phase * PHASE_MS + dice.interval(meanPauseMs);
    for (; at < (phase + 1) * PHASE_MS; at += dice.interval(meanPauseMs)) {
      const tenant = tenants[dice.between(0, tenants.length - 1)];
      jobs.push({ kind, tenant, at, runsMs: runsMs * (0.5 + dice.next()) });
    }
    return jobs;
  });
}
