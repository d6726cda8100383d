/** Nanoseconds a decision, and bytes a user. */
import type { Filled } from './decider.js';
import { DECIDERS, type DeciderName } from './deciders.js';
import type { Line } from './goals.js';
import { type Contender, interleave, median, ratio, start } from './harness.js';

export interface DecisionOptions {
  readonly users: readonly number[];
  readonly rounds: number;
  /** Decisions in a round. */
  readonly decisions: number;
}

const NAMES = Object.keys(DECIDERS) as DeciderName[];

/** Where the goals hold. */
const GOAL_USERS = 10_000;

export async function measureDecisions({ users, rounds, decisions }: DecisionOptions): Promise<Line[]> {
  const lines: Line[] = [];
  for (const count of users) lines.push(...(await measure(count, rounds, decisions)));
  return lines;
}

async function measure(users: number, rounds: number, decisions: number): Promise<Line[]> {
  const contenders: Contender<number>[] = [];
  const bytes = new Map<DeciderName, number>();
  for (const name of NAMES) {
    const { contender, ready } = await start<Filled, number>(name, './decider.ts', [name, String(users)]);
    contenders.push(contender);
    bytes.set(name, ready.bytesPerUser);
  }
  await interleave(contenders, 2, decisions);
  const samples = await interleave(contenders, rounds, decisions);
  await Promise.all(contenders.map((contender) => contender.stop()));
  const ns = new Map(NAMES.map((name, i) => [name, samples[i]]));
  const lines = NAMES.map((name) => timeLine(users, name, ns));
  return users === 1 ? lines : [...lines, ...NAMES.filter(keepsRecords).map((name) => bytesLine(users, name, bytes))];
}

function timeLine(users: number, name: DeciderName, ns: ReadonlyMap<DeciderName, number[]>): Line {
  const base: DeciderName = name === 'tollgate store ×5' ? 'rlf ×5' : 'rlf ×1';
  const values = ns.get(name) ?? [];
  const goals: Partial<Record<DeciderName, number>> = {
    'tollgate admit, 3 layers': 1,
    'tollgate admit + settle, 3 layers + 2 budgets': 2,
    'tollgate store ×5': 0.12,
  };
  const goal = goals[name];
  return {
    measure: `decision, ${users.toLocaleString('en-US')} users`,
    contender: name,
    value: median(values),
    unit: 'ns',
    ratio: name === base ? undefined : ratio(values, ns.get(base) ?? []),
    base,
    goal: users === GOAL_USERS && goal !== undefined ? { most: goal } : undefined,
  };
}

function bytesLine(users: number, name: DeciderName, bytes: ReadonlyMap<DeciderName, number>): Line {
  const value = bytes.get(name) ?? Number.NaN;
  return {
    measure: `memory, ${users.toLocaleString('en-US')} users`,
    contender: name,
    value,
    unit: 'B/user',
    ratio: name === 'rlf ×5' ? undefined : value / (bytes.get('rlf ×5') ?? Number.NaN),
    base: 'rlf ×5',
    goal: name === 'tollgate store ×5' ? { most: 0.2 } : undefined,
  };
}

function keepsRecords(name: DeciderName): boolean {
  return name !== 'rlf ×1 (A/A)' && !name.startsWith('tollgate admit + settle');
}
