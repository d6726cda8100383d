/** What the tests of the core share: a gate under a clock of its own, and the warnings that it raises. */
import {
  type Admission,
  type AdmitOptions,
  type AdmitRequest,
  createTollgate,
  type Limit,
  type Outcome,
  type Refusal,
  type Tollgate,
  type TollgateConfig,
  TollgateError,
} from '@tollgate/core';
import { type ManualClock, manualClock } from '@tollgate/core/testing';

/** A whole number of days since 1970, so that sub-buckets of every window here begin at it. */
export const START = Date.UTC(2026, 0, 1);

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;

/** A gate with these limits and, unless `more` says otherwise, the default tiers; and the clock it goes by. */
export function gateOf(limits: readonly Limit[], more: Omit<TollgateConfig, 'limits' | 'clock'> = {}) {
  const clock: ManualClock = manualClock(START);
  const gate = createTollgate<string, string, string, string, string>({ ...more, limits, clock });

  /** What is used of each limit that counts this request, by name. */
  async function used(request: Parameters<typeof gate.explain>[0] = {}): Promise<Record<string, number>> {
    const { layers } = await gate.explain({ permits: 0, estimate: {}, ...request });
    return Object.fromEntries(layers.map(({ layer, used }) => [layer, used]));
  }

  /** Admits, or fails the test. */
  async function admission(request: Parameters<typeof gate.admit>[0]) {
    const decision = await gate.admit(request);
    if (!decision.admitted) throw new Error(`refused: ${decision.refusal.detail}`);
    return decision.admission;
  }

  /** Is refused, or fails the test. */
  async function refusal(request: Parameters<typeof gate.admit>[0]) {
    const decision = await gate.admit(request);
    if (decision.admitted) throw new Error('admitted');
    return decision.refusal;
  }

  return { gate, clock, used, admission, refusal };
}

/** Lets all go on that need not wait for the clock. */
export async function flush(): Promise<void> {
  for (let i = 0; i < 20; i++) await undefined;
}

/** Requests that go by names, as they ask, begin, end, are refused and give up. */
export function askers(gate: Pick<Tollgate, 'admit'>) {
  const began: string[] = [];
  const admissions = new Map<string, Admission>();
  const refusals = new Map<string, Refusal>();
  const errors = new Map<string, unknown>();

  /** Asks, and does not wait for what comes of it. */
  function ask(name: string, request: AdmitRequest = { permits: 1 }, options?: AdmitOptions): void {
    gate.admit(request, options).then(
      (decision) => {
        if (!decision.admitted) {
          refusals.set(name, decision.refusal);
          return;
        }
        began.push(name);
        admissions.set(name, decision.admission);
      },
      (error) => errors.set(name, error),
    );
  }

  function of(name: string): Admission {
    const admission = admissions.get(name);
    if (admission === undefined) throw new Error(`${name} has not begun`);
    return admission;
  }

  async function end(name: string, outcome?: Outcome): Promise<void> {
    await of(name).settle(outcome);
    await flush();
  }

  return { ask, of, end, began, refusals, errors };
}

/** Gathers what is said through `process.emitWarning`, in place of printing it, until the end of the test. */
export function warnings(): { code: string; message: string }[] {
  const heard: { code: string; message: string }[] = [];
  jest.spyOn(process, 'emitWarning').mockImplementation(((message: string, { code }: { code: string }) => {
    heard.push({ code, message });
  }) as typeof process.emitWarning);
  return heard;
}

/** The error that `work` throws. */
export function thrownBy(work: () => unknown): TollgateError {
  try {
    work();
  } catch (error) {
    if (error instanceof TollgateError) return error;
    throw new Error(`expected a TollgateError, got ${error}`);
  }
  throw new Error('expected a TollgateError, nothing was thrown');
}
