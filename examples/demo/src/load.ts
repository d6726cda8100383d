/** Plays the users: every habit a few streams of calls, each stream the same calls in the same order for a seed. */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProblemBody } from '@tollgate/core';
import { type Random, random } from './random.js';
import type { Habit, User } from './scenario.js';

/** What the clients saw, counted on their side of the wire. */
export interface LoadCount {
  requests: number;
  inFlight: number;
  /** Answers by HTTP status. */
  statuses: Record<number, number>;
  /** Answers that a client left before they ended, and answers that broke off. */
  left: number;
  brokenOff: number;
  /** Refused clients that came back once after their Retry-After, and were then admitted or refused again. */
  cameBack: { admitted: number; refused: number };
}

export interface SeenRefusal {
  readonly user: string;
  readonly feature: string;
  readonly status: number;
  readonly detail: string;
  /** The header `Retry-After`, in seconds; none where waiting can't help. */
  readonly retryAfter: number | undefined;
}

export interface Load {
  readonly count: Readonly<LoadCount>;
  /** The last refusal of each user, newest first. */
  recent(): readonly SeenRefusal[];
  /** Sends nothing more; resolves when every answer has come. */
  stop(): Promise<void>;
}

/** Pieces of an answer after which whoever leaves has left. */
const MOST_PATIENCE = 12;
/** How long the patient rest when they have run through their budget. */
const BREAK_MS = 3000;

export function startLoad(appUrl: string, users: readonly User[], seed: number): Load {
  const count: LoadCount = {
    requests: 0,
    inFlight: 0,
    statuses: {},
    left: 0,
    brokenOff: 0,
    cameBack: { admitted: 0, refused: 0 },
  };
  const refusals = new Map<string, SeenRefusal>();
  const ending = new AbortController();
  // Every stream listens while it pauses.
  setMaxListeners(0, ending.signal);

  /** True unless the load ended meanwhile. */
  function pause(ms: number): Promise<boolean> {
    return sleep(ms, true, { signal: ending.signal }).catch(() => false);
  }

  async function play(user: User, habit: Habit, dice: Random): Promise<void> {
    while (await pause(dice.interval(habit.pauseMs))) {
      const body = JSON.stringify({ input: makeTexts(habit, dice) });
      const patience = dice.next() < habit.leaves ? dice.between(1, MOST_PATIENCE) : Number.POSITIVE_INFINITY;
      const refusal = await call(user, habit, body, patience);
      if (!user.patient || !refusal) continue;
      if (refusal.status === 402) await pause(BREAK_MS);
      if (refusal.retryAfter === undefined || !(await pause(refusal.retryAfter * 1000))) continue;
      count.cameBack[(await call(user, habit, body, patience)) ? 'refused' : 'admitted']++;
    }
  }

  /** @param patience how many pieces of an answer are waited for */
  async function call(
    { user }: User,
    { feature }: Habit,
    body: string,
    patience: number,
  ): Promise<SeenRefusal | undefined> {
    count.requests++;
    count.inFlight++;
    const headers = { 'Content-Type': 'application/json', 'X-User': user };
    const answer = await fetch(`${appUrl}/${feature}`, { method: 'POST', headers, body });
    count.statuses[answer.status] = (count.statuses[answer.status] ?? 0) + 1;
    const isRefusal = answer.headers.get('Content-Type') === 'application/problem+json';
    const problem = isRefusal ? ((await answer.json()) as ProblemBody) : await listen(answer, patience);
    count.inFlight--;
    if (!problem) return undefined;
    const wait = answer.headers.get('Retry-After');
    const refusal = {
      user,
      feature,
      status: answer.status,
      detail: problem.detail,
      retryAfter: wait === null ? undefined : Number(wait),
    };
    refusals.delete(user);
    refusals.set(user, refusal);
    return refusal;
  }

  async function listen(answer: Response, patience: number): Promise<undefined> {
    let heard = 0;
    try {
      for await (const _ of answer.body ?? []) {
        if (++heard < patience) continue;
        count.left++;
        break;
      }
    } catch {
      count.brokenOff++;
    }
  }

  const streams = users.flatMap((user) =>
    user.habits.flatMap((habit) =>
      Array.from({ length: habit.streams }, (_, i) =>
        play(user, habit, random(seed, `${user.user} ${habit.feature} ${i}`)),
      ),
    ),
  );
  const finished = Promise.all(streams);

  return {
    count,
    recent: () => [...refusals.values()].reverse(),
    async stop() {
      ending.abort();
      await finished;
    },
  };
}

const WORDS = ['a', 'toll', 'is', 'paid', 'at', 'the', 'gate', 'before', 'anything', 'expensive', 'happens'];

function makeTexts({ texts, words }: Habit, dice: Random): string[] {
  const word = () => WORDS[dice.between(0, WORDS.length - 1)];
  const text = () => Array.from({ length: dice.between(...words) }, word).join(' ');
  return Array.from({ length: dice.between(...texts) }, text);
}
