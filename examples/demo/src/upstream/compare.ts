/** The same calls to the same providers in three ways, and what came of them. */
import { manualClock } from '@tollgate/core/testing';
import { percentile } from '../percentile.js';
import { random } from '../random.js';
import { startProviders } from './providers.js';
import { thenTheOther, throughTollgate, twoRetries, type Way } from './ways.js';

export interface WayFared {
  /** Calls that users have made. */
  asked: number;
  /** Calls that have reached a provider, whatever it said to them. */
  sent: number;
  /** Of those sent, those that a provider refused with 429. */
  refused: number;
  /** Of those asked, those that got no answer in the end. */
  failed: number;
  /** Of those asked, those whose whole answer was there in time. */
  inTime: number;
  /** Of the answers, milliseconds until they were whole. */
  p95Ms: number;
}

export interface Upstream {
  seed: number;
  /** In which users ask; simulated. */
  minutes: number;
  /** From when on the first provider is dead. */
  diesAtMinute: number;
  /** How long after it was asked for an answer is in time. */
  inTimeMs: number;
  tollgate: WayFared;
  twoRetries: WayFared;
  thenTheOther: WayFared;
}

const MINUTE_MS = 60_000;
const MINUTES = 4;
const DIES_AT_MINUTE = 2;
const IN_TIME_MS = 2000;

/** What all users ask together: twice what the first provider allows. */
const PER_MINUTE = 80;

const USERS = ['ada', 'bo', 'cleo', 'dan'];

interface Call {
  readonly user: string;
  /** Milliseconds since the beginning. */
  readonly at: number;
}

/** Of a seed always the same figures. */
export async function compareUpstream(seed: number): Promise<Upstream> {
  const calls = callsOf(seed);
  return {
    seed,
    minutes: MINUTES,
    diesAtMinute: DIES_AT_MINUTE,
    inTimeMs: IN_TIME_MS,
    tollgate: await play(calls, throughTollgate, seed),
    twoRetries: await play(calls, twoRetries, seed),
    thenTheOther: await play(calls, thenTheOther, seed),
  };
}

function callsOf(seed: number): Call[] {
  const dice = random(seed, 'upstream calls');
  const pauseMs = MINUTE_MS / PER_MINUTE;
  const calls: Call[] = [];
  for (let at = dice.interval(pauseMs); at < MINUTES * MINUTE_MS; at += dice.interval(pauseMs)) {
    calls.push({ user: USERS[dice.between(0, USERS.length - 1)], at });
  }
  return calls;
}

async function play(calls: readonly Call[], way: Way, seed: number): Promise<WayFared> {
  const clock = manualClock();
  const providers = startProviders(clock, DIES_AT_MINUTE * MINUTE_MS);
  const ask = way(providers.fetch, clock, random(seed, 'upstream retries'));
  const answers: Promise<number | undefined>[] = [];

  /** Milliseconds until the answer was whole, or nothing where there was none. */
  async function answered(user: string): Promise<number | undefined> {
    const since = clock.now();
    const response = await ask(user).catch(() => undefined);
    await response?.text();
    return response?.ok ? clock.now() - since : undefined;
  }

  for (const { user, at } of calls) clock.after(at, () => void answers.push(answered(user)));
  // A minute more, for the last answers.
  await clock.play((MINUTES + 1) * MINUTE_MS);
  const times = (await Promise.all(answers)).filter((ms) => ms !== undefined).sort((a, b) => a - b);
  const sent = providers.calls();
  return {
    asked: calls.length,
    sent: sent.length,
    refused: sent.filter(({ status }) => status === 429).length,
    failed: calls.length - times.length,
    inTime: times.filter((ms) => ms <= IN_TIME_MS).length,
    p95Ms: percentile(times, 0.95),
  };
}
