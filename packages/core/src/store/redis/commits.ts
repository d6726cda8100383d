/**
 * Group commit: what is asked for in one turn of the event loop goes to Redis as one script call, and what comes while all
 * lanes are busy goes with the next. A lane has one call under way at a time, numbered, and Redis keeps what became of its
 * last one: a call that is sent again is answered as before. So who sends it again, be it the client after a reconnect, does
 * no harm.
 *
 * Where an answer doesn't come in time, those who wait are told so, and the lane asks what became of its call, for as long
 * as it takes. What wasn't done by then never will be; what was done is put right: a take that nobody waits for any more is
 * given back.
 *
 * With a ledger of what was spent, each call names one that was answered before. Where Redis no longer knows of that, it does
 * nothing: what was lost since is spent again first.
 */
import { randomBytes } from 'node:crypto';
import type { Receipt } from '../store.js';
import { createAnswers } from './answers.js';
import { type Batch, createBatches, newEpoch } from './batch.js';
import { hasEnded, passing, pause, type RedisClient } from './client.js';
import { ended, failed, giveUp, tooLate } from './faults.js';
import { type Operation, probeAt } from './operation.js';
import { createProbes } from './probes.js';
import { BATCH, CANCEL, runScript, type Script } from './scripts.js';
import type { Spend, SpendLedger } from './spend-ledger.js';

interface Lane {
  /** Where Redis keeps what became of its last call. */
  readonly marker: string;
  number: number;
  batch: Batch | undefined;
  /** The answer to its call was not to be had, and what became of it is being asked. */
  asking: boolean;
}

const LANES = 4;

/** Between attempts to learn what became of a call. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

/**
 * What is answered where Redis has lost what it had answered: the last call of the lane that it knows of, and the epoch. A run
 * that can't be done at once, and was not sent in full, is answered less; all else more.
 */
const LOSS_BYTES = 16;

/** All that is answered has it there, but for what is less. */
function epochIn(reply: Buffer): number {
  return reply.readDoubleLE(8);
}

export interface Commits {
  /** By which Redis knows this one from others. */
  readonly instance: string;
  /** @param isFirst goes before all that is waiting to be sent */
  submit(operation: Operation, isFirst?: boolean): void;
  /** Calls `task` once nothing is awaited. */
  whenIdle(task: () => void): void;
}

/**
 * @param head of all keys
 * @param isTimeGiven operations bring their time, else it is Redis's
 * @param known told of each operation whose outcome is certain
 * @param giveBack gives back what was charged for nobody
 * @param ledger what was spent is noted there
 * @param spendAgain told of what was spent and is lost
 */
export function createCommits(
  client: RedisClient,
  head: string,
  timeoutMs: number,
  isTimeGiven: boolean,
  known: (operation: Operation) => void,
  giveBack: (receipt: Receipt, now: number) => void,
  ledger: SpendLedger | undefined,
  spendAgain: (spends: readonly Spend[]) => void,
): Commits {
  const instance = randomBytes(9).toString('base64url');
  const epoch = `${head}/epoch`;
  const batches = createBatches(head, instance);
  const tell = createAnswers(giveBack, ledger !== undefined);
  let queue: Operation[] = [];
  const lanes = Array.from({ length: LANES }, (_, i): Lane => {
    return { marker: `${head}/lane/${instance}/${i}`, number: 0, batch: undefined, asking: false };
  });
  let isScheduled = false;
  let watch: NodeJS.Timeout | undefined;
  /** The latest time that came with an operation. */
  let latest = 0;
  let idle: (() => void)[] = [];
  const probes = createProbes(hasSpent, probe);

  function submit(operation: Operation, isFirst = false): void {
    if (hasEnded(client)) {
      giveUp(operation, ended());
      known(operation);
      return;
    }
    latest = Math.max(latest, operation.now);
    if (isFirst) queue.unshift(operation);
    else queue.push(operation);
    schedule();
    watchOver();
  }

  /** For as long as something is awaited, submitted or not. */
  function watchOver(): void {
    watch ??= setTimeout(giveUpLate, timeoutMs);
  }

  function schedule(): void {
    if (isScheduled || queue.length === 0) return;
    isScheduled = true;
    setImmediate(send);
  }

  function send(): void {
    isScheduled = false;
    for (const lane of lanes) {
      if (queue.length === 0) return;
      if (lane.batch === undefined) sendBy(lane);
    }
  }

  function sendBy(lane: Lane, from = queue): void {
    lane.number++;
    probes.noteUse();
    const now = isTimeGiven ? from[0].now : undefined;
    const witness = ledger?.newest();
    const batch = batches.next(from, lane.number, witness?.number ?? 0, now);
    lane.batch = batch;
    watchOver();
    const before = witness === undefined ? [] : [lanes[witness.lane].marker];
    call(BATCH, [lane.marker, epoch, ...before, ...batch.keys], batch.values).then(
      (reply) => finish(lane, batch, reply, witness?.lane),
      (error) => {
        if (lane.batch !== batch) return;
        for (const operation of batch.operations) giveUp(operation, failed(error));
        ask(lane, batch);
        tellIdle();
      },
    );
  }

  const call = (script: Script, keys: readonly string[], values: readonly string[]) =>
    runScript(client, script, keys, values) as Promise<Buffer | null>;

  /**
   * @param reply null where the batch was cancelled
   * @param witness the lane of the call that Redis had to know of
   */
  function finish(lane: Lane, batch: Batch, reply: Buffer | null, witness = 0): void {
    if (lane.batch !== batch) return;
    lane.batch = undefined;
    lane.asking = false;
    if (reply !== null && reply.length >= LOSS_BYTES) batches.epochIs(epochIn(reply));
    if (reply !== null && reply.length <= LOSS_BYTES) {
      sendAgain(lane, batch, reply, witness);
      return;
    }
    if (reply === null) for (const operation of batch.operations) giveUp(operation, tooLate(timeoutMs));
    else note(lane, epochIn(reply), tell(batch, reply));
    for (const operation of batch.operations) known(operation);
    schedule();
    tellIdle();
  }

  /**
   * It was not done. It is now, in full or once what was spent is spent again: at once, and by its own lane, so that what was
   * sent before does nothing should it arrive late.
   */
  function sendAgain(lane: Lane, { operations }: Batch, reply: Buffer, witness: number): void {
    queue = [...operations.filter(({ givenUp }) => !givenUp), ...queue];
    if (reply.length === LOSS_BYTES) spendAgain(ledger?.takeLost(witness, reply.readDoubleLE(), epochIn(reply)) ?? []);
    else batches.writeInFull();
    sendBy(lane, queue.length > 0 ? queue : [probeAt(latest)]);
    for (const operation of operations) if (operation.givenUp) known(operation);
  }

  function note(lane: Lane, epoch: number, spends: readonly Spend[]): void {
    ledger?.note(lanes.indexOf(lane), lane.number, epoch, spends);
    if (ledger?.newest() !== undefined) probes.begin();
  }

  function hasSpent(): boolean {
    ledger?.forget();
    return ledger?.newest() !== undefined && !hasEnded(client);
  }

  function probe(): void {
    const lane = lanes.find(({ batch }) => batch === undefined);
    if (lane !== undefined) sendBy(lane, [probeAt(latest)]);
  }

  /** Asks what became of a call, until it is known; and what was not done by then never will be. */
  async function ask(lane: Lane, batch: Batch): Promise<void> {
    if (lane.asking) return;
    lane.asking = true;
    for (let ms = FIRST_PAUSE_MS; lane.batch === batch; ms = Math.min(2 * ms, LONGEST_PAUSE_MS)) {
      const self = lanes.indexOf(lane);
      const values = [lane.number, ledger?.last(self) ?? 0, newEpoch()].map(String);
      const cancelling = call(CANCEL, [lane.marker, epoch], values);
      cancelling.then(
        (reply) => finish(lane, batch, reply, self),
        () => {},
      );
      await Promise.race([cancelling.catch(() => {}), passing(timeoutMs)]);
      if (lane.batch === batch) await pause(client, ms);
    }
  }

  /** Tells those who have waited too long. */
  function giveUpLate(): void {
    const inTime = performance.now() - timeoutMs;
    const late = queue.filter(({ at }) => at <= inTime);
    if (late.length > 0) queue = queue.filter(({ at }) => at > inTime);
    for (const operation of late) {
      giveUp(operation, tooLate(timeoutMs));
      known(operation);
    }
    let oldest = queue.reduce((oldest, { at }) => Math.min(oldest, at), Number.POSITIVE_INFINITY);
    for (const lane of lanes) {
      const { batch } = lane;
      if (batch === undefined) continue;
      for (const operation of batch.operations) {
        if (operation.at > inTime) oldest = Math.min(oldest, operation.at);
        else giveUp(operation, tooLate(timeoutMs));
      }
      if (batch.operations.some(({ givenUp }) => givenUp)) ask(lane, batch);
    }
    watch = oldest === Number.POSITIVE_INFINITY ? undefined : setTimeout(giveUpLate, Math.ceil(oldest - inTime));
    tellIdle();
  }

  function isIdle(): boolean {
    return queue.length === 0 && lanes.every(({ batch }) => !batch || batch.operations.every(({ givenUp }) => givenUp));
  }

  function tellIdle(): void {
    if (!isIdle()) return;
    clearTimeout(watch);
    watch = undefined;
    for (const task of idle) task();
    idle = [];
  }

  return {
    instance,
    submit,
    whenIdle(task) {
      idle.push(task);
      tellIdle();
    },
  };
}
