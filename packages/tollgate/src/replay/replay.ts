/**
 * Runs recorded traffic through a configuration, on a clock of its own: what would it have done? Requests come when they came,
 * and end when they ended, or take as long as others of their feature where the log can't tell, since they were refused
 * there. Nothing leaves the process: usage is kept in memory, and nobody is alerted.
 */
import {
  type Admission,
  createTollgate,
  type Decision,
  formatMoney,
  type Money,
  memoryStore,
  type TollgateConfig,
} from '@tollgate/core';
import { recordedBody, type TrafficLine } from '@tollgate/core/traffic';
import { type Answer, type Open, openRequest, openRequests, type Settled } from './open.js';
import { increment, type Tally, tallyOf } from './tally.js';
import { followed, virtualClock } from './virtual-clock.js';

export interface ReplayOptions {
  /** Called from time to time with the lines done so far. */
  onProgress?: ((lines: number) => void) | undefined;
}

export interface Replay extends Tally {
  /** When the first and the last line were, in milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
  /** Requests that were answered otherwise than in the log: `'admitted → refused by user'`, and how often. */
  readonly changed: Readonly<Record<string, number>>;
  /** Lines that could not be replayed, by what was wrong. */
  readonly skipped: Readonly<Record<string, number>>;
}

/** How often progress is told, in lines. */
const EVERY = 2000;

type Asked = Extract<TrafficLine, { event: 'asked' }>;

/**
 * @param lines as `recordTraffic` has written them, in their order
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem of the configuration
 */
export async function replay(
  config: TollgateConfig,
  lines: AsyncIterable<TrafficLine> | Iterable<TrafficLine>,
  { onProgress }: ReplayOptions = {},
): Promise<Replay> {
  const clock = virtualClock();
  const gate = createTollgate({ ...config, store: memoryStore(), clock, alerts: { log: false } });
  const tally = tallyOf(gate);
  const requests = openRequests();
  const changed = new Map<string, number>();
  const skipped = new Map<string, number>();
  const durations = new Map<string | undefined, number>();
  let from: number | undefined;
  let count = 0;

  function skip(error: unknown): void {
    increment(skipped, messageOf(error));
  }

  function ask({ id, kind, request, body, more }: Asked): Promise<unknown> | undefined {
    const before = requests.get(id)?.admission;
    if (kind === 'more') return before?.extend(more ?? {});
    const open = requests.get(id) ?? openRequest(request.feature);
    if (kind === 'request') requests.add(id, open);
    else if (before === undefined) return undefined;
    const decision = gate.decide(request, {
      signal: open.leaving.signal,
      extending: before,
      body: body && recordedBody(body),
    });
    const take = (decision: Decision) =>
      kind === 'request' ? answered(id, open, decision) : changedInto(id, open, decision);
    if (!(decision instanceof Promise)) return void take(decision);
    return decision.then(take, (error) => {
      if (!open.leaving.signal.aborted) throw error;
    });
  }

  function answered(id: string, open: Open, decision: Decision): void {
    open.admission = decision.admitted ? decision.admission : undefined;
    open.answer = answerOf(decision);
    compare(open);
    const { ending } = open;
    if (!decision.admitted) end(id, open);
    else if (ending !== undefined) endLater(id, open, ending.afterMs, ending.settled);
    else if (open.recorded?.admitted === false) endLater(id, open, durations.get(open.feature) ?? 0, undefined);
  }

  /** An admission that can't be what it was to be turned into has been given back. */
  function changedInto(id: string, open: Open, decision: Decision): void {
    open.admission = decision.admitted ? decision.admission : undefined;
    if (!decision.admitted) end(id, open);
  }

  /** Forgets a request, once the log has told its end, too. */
  function end(id: string, open: Open): void {
    if (open.recorded !== undefined) requests.ended(id, false);
  }

  function compare({ recorded, answer }: Open): void {
    if (recorded === undefined || answer === undefined) return;
    if (recorded.admitted !== answer.admitted || recorded.by !== answer.by) {
      increment(changed, `${inWords(recorded)} → ${inWords(answer)}`);
    }
  }

  function recorded(id: string, answer: Answer, at: number): void {
    const open = requests.get(id);
    if (open === undefined) return;
    if (answer.admitted) open.recordedModel = answer.by;
    if (open.recorded !== undefined) return;
    open.recorded = answer;
    open.recordedAt = at;
    compare(open);
    if (answer.admitted) return;
    if (open.admission !== undefined) endLater(id, open, durations.get(open.feature) ?? 0, undefined);
    else if (open.answer !== undefined) requests.ended(id, false);
  }

  function endLater(
    id: string,
    { admission, recordedModel }: Open,
    afterMs: number,
    settled: Settled | undefined,
  ): void {
    clock.after(afterMs, () => {
      requests.ended(id, settled?.provisional ?? false);
      if (admission !== undefined) settleHere(admission, settled, recordedModel);
    });
  }

  function settleHere(admission: Admission, end: Settled | undefined, admittedModel: string | undefined): void {
    settle(admission, end, admittedModel).catch(skip);
  }

  function settled(line: Settled): void {
    const open = requests.get(line.id);
    if (open === undefined) return;
    const { admission, recordedAt, recordedModel, feature } = open;
    if (recordedAt !== undefined) durations.set(feature, line.at - recordedAt);
    if (open.answer === undefined) {
      open.ending = { settled: line, afterMs: line.at - (recordedAt ?? line.at) };
      return;
    }
    requests.ended(line.id, line.provisional);
    if (admission !== undefined) settleHere(admission, line, recordedModel);
  }

  /** Its client left the line; what has begun here ends there and then, as what a client leaves does. */
  function withdrawn(id: string): void {
    const open = requests.get(id);
    if (open === undefined) return;
    open.leaving.abort(LEFT);
    requests.ended(id, false);
    if (open.answer !== undefined) increment(changed, `withdrawn → ${inWords(open.answer)}`);
    open.admission?.settle({ outcome: 'failed' }).catch(skip);
  }

  function play(line: TrafficLine): Promise<unknown> | undefined {
    switch (line.event) {
      case 'asked':
        return ask(line);
      case 'admitted':
        return void recorded(line.id, { admitted: true, by: line.model }, line.at);
      case 'refused':
        return void recorded(line.id, { admitted: false, by: line.layer ?? line.reason }, line.at);
      case 'withdrawn':
        return void withdrawn(line.id);
      case 'settled':
        return void settled(line);
      case 'updated':
        return void gate.update(line.change);
      case 'credited':
        return line.by === 'topUp'
          ? gate.topUp(line.budget, line.whom, formatMoney(line.amount ?? 0) as Money)
          : gate.resetBudget(line.budget, line.whom);
    }
  }

  for await (const line of lines) {
    from ??= line.at;
    // The log's clock may step back where several processes have written it; ours stands still then.
    if (clock.isFreeUntil(line.at)) clock.set(line.at);
    else await clock.goTo(line.at);
    try {
      const playing = play(line);
      // Whoever waits, and what takes several steps, goes on before the next line.
      playing?.catch(skip);
      if (playing !== undefined || gate.hasLine) await followed();
    } catch (error) {
      skip(error);
    }
    if (++count % EVERY === 0) onProgress?.(count);
  }
  onProgress?.(count);
  const report = { ...tally(), from: from ?? 0, to: clock.now() };
  await gate.close();
  return { ...report, changed: Object.fromEntries(changed), skipped: Object.fromEntries(skipped) };
}

/** Why a request leaves that left by the log. */
const LEFT = new Error('left');

/** As it ended in the log, but by the model that serves it here, unless it was served by another than was admitted there. */
async function settle(
  admission: Admission,
  end: Settled | undefined,
  admittedModel: string | undefined,
): Promise<void> {
  if (end === undefined) return admission.settle();
  const { usage, usd, overloaded, provisional, actual } = end;
  // What draws had used stayed charged.
  const outcome = end.outcome === 'ignored' && actual !== undefined ? 'failed' : end.outcome;
  const model = end.model === admittedModel ? undefined : end.model;
  const told = { outcome, usage, usd, overloaded, model };
  return provisional ? admission.conclude(told) : admission.settle(told);
}

function answerOf(decision: Decision): Answer {
  if (decision.admitted) return { admitted: true, by: decision.admission.model };
  const { layer, reason } = decision.refusal;
  return { admitted: false, by: layer ?? reason };
}

function inWords({ admitted, by }: Answer): string {
  return admitted ? (by === undefined ? 'admitted' : `admitted with ${by}`) : `refused by ${by}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
