/** Random histories of a gate with one limit on output tokens by user, and what came of them as an exact log. */
import type { Admission, AdmitRequest, Outcome, Refusal, Tollgate } from '@tollgate/core';
import type { ManualClock } from '@tollgate/core/testing';
import fc from 'fast-check';
import { correct, type Lot } from './oracle-log.js';

export type Command<Change> =
  | { readonly do: 'admit'; readonly user: string; readonly cost: number }
  | { readonly do: 'extend'; readonly nth: number; readonly cost: number }
  | { readonly do: 'amend'; readonly nth: number; readonly cost: number }
  | { readonly do: 'settle'; readonly nth: number; readonly actual: number | 'ignored'; readonly provisional: boolean }
  | { readonly do: 'step'; readonly ms: number }
  /** To just before, at, or just after the next multiple of `every`. */
  | { readonly do: 'align'; readonly every: number; readonly by: number }
  | { readonly do: 'change'; readonly to: Change };

export interface Shape<Change> {
  readonly users?: readonly string[];
  readonly costs: fc.Arbitrary<number>;
  readonly steps: fc.Arbitrary<number>;
  readonly every: number;
  readonly changes: fc.Arbitrary<Change>;
}

export function histories<Change>({
  users = ['ann', 'bob'],
  costs,
  steps,
  every,
  changes,
}: Shape<Change>): fc.Arbitrary<Command<Change>[]> {
  const nth = fc.nat(30);
  const actual = fc.oneof({ weight: 3, arbitrary: costs }, fc.constant('ignored' as const));
  const command: fc.Arbitrary<Command<Change>> = fc.oneof(
    { weight: 8, arbitrary: fc.record({ do: fc.constant('admit'), user: fc.constantFrom(...users), cost: costs }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('extend'), nth, cost: costs }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('amend'), nth, cost: costs }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('settle'), nth, actual, provisional: fc.boolean() }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('step'), ms: steps }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('align'), every: fc.constant(every), by: fc.constantFrom(-1, 0, 1) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('change'), to: changes }) },
  ) as fc.Arbitrary<Command<Change>>;
  return fc.array(command, { minLength: 5, maxLength: 90, size: 'max' });
}

/** What is kept for one user. */
export interface Account {
  readonly lots: Lot[];
}

interface Open {
  readonly admission: Admission;
  readonly account: Account;
  readonly user: string;
  readonly lots: Lot[];
}

export interface Judge<Change> {
  /** What of a lot is given back at a time is void. */
  isVoid(lot: Lot, now: number): boolean;
  /** Before the cost is in the log. */
  admitted(account: Account, cost: number, now: number): void;
  refused(account: Account, cost: number, now: number, refusal: Refusal): void;
  change(to: Change): void;
}

function requestOf(user: string, outputTokens: number): AdmitRequest {
  return { subject: { user }, permits: 0, estimate: { outputTokens } };
}

/** Plays a history. Time, for the judge and the log, is the latest that the gate has seen. */
export async function play<Change>(
  gate: Tollgate,
  clock: ManualClock,
  history: readonly Command<Change>[],
  judge: Judge<Change>,
): Promise<{ settleAll(): Promise<void>; now(): number }> {
  const accounts = new Map<string, Account>();
  const open: Open[] = [];
  let latest = 0;
  const now = () => {
    latest = Math.max(latest, clock.now());
    return latest;
  };

  async function book(account: Account, lots: Lot[], cost: number, decide: () => ReturnType<Tollgate['admit']>) {
    const time = now();
    const decision = await decide();
    if (!decision.admitted) {
      judge.refused(account, cost, time, decision.refusal);
      return undefined;
    }
    judge.admitted(account, cost, time);
    const lot = { time, amount: cost };
    account.lots.push(lot);
    lots.push(lot);
    return decision.admission;
  }

  /** Charges what is lacking, or gives back what is too much; refused, all of it. */
  async function amend(one: Open, cost: number) {
    const { admission, account, user, lots } = one;
    const lacking = cost - lots.reduce((sum, { amount }) => sum + amount, 0);
    const decide = () => gate.admit(requestOf(user, cost), { extending: admission });
    if (lacking <= 0) {
      expect((await decide()).admitted).toBe(true);
      correct(lots, cost, now(), judge.isVoid);
    } else if ((await book(account, lots, lacking, decide)) === undefined) {
      correct(lots, 0, now(), judge.isVoid);
      open.splice(open.indexOf(one), 1);
    }
  }

  async function settle({ admission, account, lots }: Open, actual: number | 'ignored', provisional: boolean) {
    const time = now();
    const outcome: Outcome = actual === 'ignored' ? { outcome: 'ignored' } : { usage: { outputTokens: actual } };
    await (provisional ? admission.conclude(outcome) : admission.settle(outcome));
    const overage = correct(lots, actual === 'ignored' ? 0 : actual, time, judge.isVoid);
    if (overage === undefined) return;
    account.lots.push(overage);
    lots.push(overage);
  }

  for (const command of history) {
    if (command.do === 'admit') {
      const { user, cost } = command;
      const account = accounts.get(user) ?? { lots: [] };
      accounts.set(user, account);
      const lots: Lot[] = [];
      const admission = await book(account, lots, cost, () => gate.admit(requestOf(user, cost)));
      if (admission) open.push({ admission, account, user, lots });
    } else if (command.do === 'extend' && open.length > 0) {
      const { admission, account, lots } = open[command.nth % open.length];
      await book(account, lots, command.cost, () => admission.extend({ outputTokens: command.cost }));
    } else if (command.do === 'amend' && open.length > 0) {
      await amend(open[command.nth % open.length], command.cost);
    } else if (command.do === 'settle' && open.length > 0) {
      const [one] = open.splice(command.nth % open.length, 1);
      await settle(one, command.actual, command.provisional);
      // A provisional end is corrected by one that is not, at once or never.
      if (command.provisional && command.nth % 2 === 0) await settle(one, command.nth, false);
    } else if (command.do === 'step') clock.set(Math.max(0, clock.now() + command.ms));
    else if (command.do === 'align')
      clock.set((Math.floor(clock.now() / command.every) + 1) * command.every + command.by);
    else if (command.do === 'change') judge.change(command.to);
  }

  return {
    now,
    async settleAll() {
      for (const one of open.splice(0)) await settle(one, 'ignored', false);
    },
  };
}
