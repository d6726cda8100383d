/**
 * Group commit: what is asked for in one turn of the event loop goes to Redis as one script call, and what comes while all
 * lanes are busy goes with the next. A lane has one call under way at a time, numbered, and Redis keeps what became of its
 * last one: a call that is sent again is answered as before. So who sends it again, be it the client after a reconnect, does
 * no harm.
 *
 * Where an answer doesn't come in time, those who wait are told so, and the lane asks what became of its call, for as long
 * as it takes. What wasn't done by then never will be; what was done is put right: a take that nobody waits for any more is
 * given back.
 */
import { randomBytes } from 'node:crypto';
import { showThrown, TollgateError } from '../../errors.js';
import type { NotTaken, Receipt, Taken } from '../store.js';
import { type Batch, createBatches } from './batch.js';
import type { Operation, Take } from './operation.js';
import { readingOf } from './reply.js';
import { BATCH, CANCEL, type RedisClient, runScript, type Script } from './scripts.js';

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
 */
export function createCommits(
  client: RedisClient,
  head: string,
  timeoutMs: number,
  isTimeGiven: boolean,
  known: (operation: Operation) => void,
  giveBack: (receipt: Receipt, now: number) => void,
): Commits {
  const instance = randomBytes(9).toString('base64url');
  const nextBatch = createBatches(head, instance);
  const queue: Operation[] = [];
  const lanes = Array.from({ length: LANES }, (_, i): Lane => {
    return { marker: `${head}/lane/${instance}/${i}`, number: 0, batch: undefined, asking: false };
  });
  let isScheduled = false;
  let watch: NodeJS.Timeout | undefined;
  let idle: (() => void)[] = [];

  function submit(operation: Operation): void {
    queue.push(operation);
    schedule();
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

  function sendBy(lane: Lane): void {
    lane.number++;
    const now = isTimeGiven ? queue[0].now : undefined;
    const batch = nextBatch(queue, lane.number, now);
    lane.batch = batch;
    call(BATCH, [lane.marker, `${head}/epoch`, ...batch.keys], batch.values).then(
      (reply) => finish(lane, batch, reply),
      (error) => {
        if (lane.batch !== batch) return;
        for (const operation of batch.operations) giveUp(operation, failed(error));
        ask(lane, batch);
      },
    );
  }

  const call = (script: Script, keys: readonly string[], values: readonly (string | Buffer)[]) =>
    runScript(client, script, keys, values) as Promise<Buffer | null>;

  /** @param reply null where the batch was cancelled */
  function finish(lane: Lane, batch: Batch, reply: Buffer | null): void {
    if (lane.batch !== batch) return;
    lane.batch = undefined;
    lane.asking = false;
    if (reply === null) for (const operation of batch.operations) giveUp(operation, tooLate(timeoutMs));
    else tell(batch, reply);
    for (const operation of batch.operations) known(operation);
    schedule();
    tellIdle();
  }

  function tell({ steps }: Batch, reply: Buffer): void {
    const reading = readingOf(reply);
    for (const step of steps) {
      switch (step.kind) {
        case 'take':
          taken(step, reading.take(step));
          break;
        case 'run':
          for (const [i, result] of reading.run(step).entries()) taken(step.takes[i], result);
          break;
        case 'settle':
          reading.settle(step);
          step.resolve();
          break;
        case 'observe':
          step.resolve(reading.observe());
          break;
        case 'peek':
          step.resolve(reading.peek(step));
      }
    }
  }

  function taken(take: Take, result: Taken | NotTaken): void {
    if (!take.givenUp) take.resolve(result);
    else if ('receipt' in result && result.receipt.length > 0) giveBack(result.receipt, take.now);
  }

  /** Asks what became of a call, until it is known; and what was not done by then never will be. */
  async function ask(lane: Lane, batch: Batch): Promise<void> {
    if (lane.asking) return;
    lane.asking = true;
    for (let pause = FIRST_PAUSE_MS; lane.batch === batch; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      const cancelling = call(CANCEL, [lane.marker], [String(lane.number)]);
      cancelling.then(
        (reply) => finish(lane, batch, reply),
        () => {},
      );
      await Promise.race([cancelling.catch(() => {}), passing(timeoutMs)]);
      if (lane.batch === batch) await passing(pause);
    }
  }

  /** Tells those who have waited too long. */
  function giveUpLate(): void {
    const latest = performance.now() - timeoutMs;
    while (queue.length > 0 && queue[0].at <= latest) {
      const operation = queue.shift() as Operation;
      giveUp(operation, tooLate(timeoutMs));
      known(operation);
    }
    let oldest = queue[0]?.at ?? Number.POSITIVE_INFINITY;
    for (const lane of lanes) {
      const { batch } = lane;
      if (batch === undefined) continue;
      for (const operation of batch.operations) {
        if (operation.at > latest) oldest = Math.min(oldest, operation.at);
        else giveUp(operation, tooLate(timeoutMs));
      }
      if (batch.operations.some(({ givenUp }) => givenUp)) ask(lane, batch);
    }
    watch = oldest === Number.POSITIVE_INFINITY ? undefined : setTimeout(giveUpLate, Math.ceil(oldest - latest));
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

/** Tells who waits for it that it failed, if they haven't been told. */
export function giveUp(operation: Operation, error: unknown): void {
  if (operation.givenUp) return;
  operation.givenUp = true;
  operation.reject(error);
}

export function tooLate(timeoutMs: number): TollgateError {
  return new TollgateError('TOLLGATE_STORE_TIMEOUT', `Redis has not answered within ${timeoutMs} ms.`);
}

/** Without what ioredis puts beside its message: the command, with all that was in it. */
function failed(error: unknown): TollgateError {
  return new TollgateError('TOLLGATE_STORE_FAILED', `Redis has failed: ${showThrown(error)}`);
}

function passing(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms).unref());
}
