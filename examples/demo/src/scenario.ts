/** Who calls the app, and how. Plain data: the load plays it and the view lists it. */
import type { Feature } from './gate.js';

/** How a user uses a feature, again and again. */
export interface Habit {
  readonly feature: Feature;
  /** How many calls it has under way at once. */
  readonly streams: number;
  /** Mean milliseconds between an answer and the next call. */
  readonly pauseMs: number;
  /** Least and most words of a text. */
  readonly words: readonly [number, number];
  /** Least and most texts of a call. */
  readonly texts: readonly [number, number];
  /** The share of answers that it leaves before they end, from 0 to 1. */
  readonly leaves: number;
}

export interface User {
  readonly user: string;
  readonly tenant: string;
  readonly plan: 'free' | 'pro' | 'team';
  /** Comes back after the Retry-After it is told, and rests where a budget is exhausted; the impatient just go on. */
  readonly patient: boolean;
  readonly habits: readonly Habit[];
}

const ONE = [1, 1] as const;

const chatting: Habit = { feature: 'chat', streams: 1, pauseMs: 300, words: [10, 80], texts: ONE, leaves: 0.1 };
const reading: Habit = { feature: 'summarise', streams: 1, pauseMs: 500, words: [100, 400], texts: ONE, leaves: 0.05 };
const indexing: Habit = { feature: 'embed', streams: 1, pauseMs: 400, words: [5, 20], texts: [4, 16], leaves: 0 };

export const USERS: readonly User[] = [
  { user: 'ada', tenant: 'acme', plan: 'pro', patient: true, habits: [chatting, reading] },
  { user: 'bo', tenant: 'acme', plan: 'free', patient: true, habits: [chatting, { ...reading, pauseMs: 3000 }] },
  {
    user: 'cleo',
    tenant: 'orbit',
    plan: 'team',
    patient: true,
    habits: [chatting, { ...reading, streams: 3 }, indexing],
  },
  // Sends batches that no free plan can ever hold.
  { user: 'dan', tenant: 'orbit', plan: 'free', patient: true, habits: [{ ...indexing, texts: [5, 45] }] },
  {
    user: 'greedy',
    tenant: 'hog',
    plan: 'free',
    patient: false,
    habits: [
      { ...chatting, streams: 3, pauseMs: 120 },
      { ...indexing, pauseMs: 250 },
    ],
  },
];
