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
 * With a ledger of what was spent, each call names those of each lane that were answered last. Where Redis doesn't know of them, it
 * does nothing: what is lost is spent again first. Until that is done nothing else is sent.
 */
import { randomBytes } from 'node:crypto';
import type { Receipt } from '../store.js';
import { createAnswers } from './answers.js';
import { type Batch, createBatches, newEpoch } from './batch.js';
import { hasEnded, passing, pause, type RedisClient } from './client.js';
import { ended, failed, giveUp, tooLate } from './faults.js';
import { createLanes, type Lane } from './lanes.js';
import { type Operation, probeAt } from './operation.js';
import { createProbes } from './probes.js';
import { epochIn, isDone, LEAST_BYTES } from './reply.js';
import { isRespend, noteEpoch, respendsFirst, respendsOf } from './respends.js';
import { BATCH, CANCEL, runScript, type Script } from './scripts.js';
import type { Noted, SpendLedger } from './spend-ledger.js';

/** Between attempts to learn what became of a call. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

const NONE: readonly Noted[] = [];

export interface Commits {
  /** By which Redis knows this one from others. */
  readonly instance: string;
  submit(operation: Operation): void;
  /** Calls `task` once nothing is awaited. */
  whenIdle(task: () => void): void;
}

/**
 * @param head of all keys
 * @param isTimeGiven operations bring their time, else it is Redis's
 * @param known told of each operation whose outcome is certain
 * @param giveBack gives back what was charged for nobody
 * @param ledger what was spent is noted there
 */
export function createCommits(
  client: RedisClient,
  head: string,
  timeoutMs: number,
  isTimeGiven: boolean,
  known: (operation: Operation) => void,
  giveBack: (receipt: Receipt, now: number) => void,
  ledger: SpendLedger | undefined,
): Commits {
  const instance = randomBytes(9).toString('base64url');
  const batches = createBatches(head, instance);
  const tell = createAnswers(giveBack, ledger !== undefined);
  let queue: Operation[] = [];
  const lanes = createLanes(head, instance);
  let isScheduled = false;
  let watch: NodeJS.Timeout | undefined;
  /** The latest time that came with an operation. */
  let latest = 0;
  let idle: (() => void)[] = [];
  const probes = createProbes(() => ledger !== undefined && ledger.last().length > 0 && !hasEnded(client), probe);

  function submit(operation: Operation): void {
    if (hasEnded(client)) {
      giveUp(operation, ended());
      known(operation);
      return;
    }
    latest = Math.max(latest, operation.now);
    queue.push(operation);
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
    for (const lane of lanes.all) {
      if (queue.length === 0 || isSpending()) return;
      if (lane.batch === undefined) sendBy(lane);
    }
  }

  /** What was lost is being spent again. */
  function isSpending(): boolean {
    return lanes.all.some(({ batch }) => batch !== undefined && isRespend(batch.operations[0]));
  }

  function sendBy(lane: Lane, from = queue): void {
    lane.number++;
    probes.noteUse();
    const now = isTimeGiven ? from[0].now : undefined;
    const answered = ledger?.last() ?? NONE;
    const batch = batches.next(from, lane.number, answered, now);
    lane.batch = batch;
    watchOver();
    call(BATCH, [...lanes.keysOf(lane, answered), ...batch.keys], batch.values).then(
      (reply) => finish(lane, batch, reply, answered),
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
   * @param answered the calls that Redis had to know of
   */
  function finish(lane: Lane, batch: Batch, reply: Buffer | null, answered: readonly Noted[]): void {
    if (lane.batch !== batch) return;
    lane.batch = undefined;
    lane.asking = false;
    if (reply !== null && reply.length >= LEAST_BYTES) batches.epochIs(epochIn(reply));
    if (reply !== null && !isDone(reply)) {
      sendAgain(lane, batch, reply, answered);
      return;
    }
    if (reply !== null) note(lane, batch, reply);
    else {
      for (const operation of batch.operations) giveUp(operation, tooLate(timeoutMs));
      queue = respendsFirst([...batch.operations.filter(isRespend), ...queue]);
    }
    for (const operation of batch.operations) known(operation);
    schedule();
    tellIdle();
  }

  /**
   * It was not done. It is now, in full or once what was spent is spent again: at once, and by its own lane, so that what was
   * sent before does nothing should it arrive late.
   */
  function sendAgain(lane: Lane, { operations }: Batch, reply: Buffer, answered: readonly Noted[]): void {
    const awaited = operations.filter((operation) => !operation.givenUp || isRespend(operation));
    queue = respendsFirst([...awaited, ...queue]);
    if (reply.length < LEAST_BYTES) batches.writeInFull();
    else if (ledger !== undefined) queue = respendsFirst([...queue, ...respendsOf(ledger, reply, answered, latest)]);
    sendBy(lane, queue.length > 0 && !isSpending() ? queue : [probeAt(latest)]);
    for (const operation of operations) if (operation.givenUp) known(operation);
  }

  function note(lane: Lane, batch: Batch, reply: Buffer): void {
    const spends = tell(batch, reply);
    if (ledger === undefined) return;
    noteEpoch(batch.operations, reply);
    ledger.note(lanes.all.indexOf(lane), lane.number, epochIn(reply), spends);
    if (spends.length > 0) probes.begin();
  }

  /** What is asked about a call tells as much, and may take its time: the other lanes are for those who wait. */
  function probe(): void {
    if (lanes.all.some(({ asking }) => asking)) return;
    const lane = lanes.all.find(({ batch }) => batch === undefined);
    if (lane !== undefined) sendBy(lane, [probeAt(latest)]);
  }

  /** Asks what became of a call, until it is known; and what was not done by then never will be. */
  async function ask(lane: Lane, batch: Batch): Promise<void> {
    if (lane.asking) return;
    lane.asking = true;
    for (let ms = FIRST_PAUSE_MS; lane.batch === batch; ms = Math.min(2 * ms, LONGEST_PAUSE_MS)) {
      const answered = ledger?.last() ?? NONE;
      const values = [lane.number, newEpoch(), ...answered.map(({ number }) => number)];
      const cancelling = call(CANCEL, lanes.keysOf(lane, answered), values.map(String));
      cancelling.then(
        (reply) => finish(lane, batch, reply, answered),
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
    if (late.length > 0) queue = queue.filter((operation) => operation.at > inTime || isRespend(operation));
    for (const operation of late) {
      giveUp(operation, tooLate(timeoutMs));
      known(operation);
    }
    let oldest = Number.POSITIVE_INFINITY;
    for (const { at } of queue) if (at > inTime) oldest = Math.min(oldest, at);
    for (const lane of lanes.all) {
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
    const isGivenUp = ({ givenUp }: Operation) => givenUp;
    return queue.every(isGivenUp) && lanes.all.every(({ batch }) => !batch || batch.operations.every(isGivenUp));
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
