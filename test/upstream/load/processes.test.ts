/** Two processes that share Redis, and fifty users who ask for half as much again as a provider, in a third, allows all together. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { manualClock } from '@tollgate/core/testing';
import { createProvider, serve, textAnswer } from '@tollgate/fake-provider';
import { describeWithRedis, useRedis } from '../../helpers/redis-server.js';
import { countOf429, MINUTE, mostWithin, shareUsed } from '../../helpers/upstream-load.js';

const CALLS = 180;
const MINUTES = 2;
const STEP = 500;
/** Of each process. */
const USERS = 25;

interface Told {
  readonly underWay: number;
  readonly failed: number;
}

describeWithRedis('two processes', () => {
  const url = useRedis();

  test('hardly a call meets a 429, and hardly any room is idle', async () => {
    const clock = manualClock();
    const start = clock.now();
    const fake = createProvider({
      ...{ kind: 'openai', keys: ['sk-1'], limits: { requests: CALLS, rule: 'window' }, clock },
      ...{ answer: () => textAnswer(50), latencyMs: 500, tokenMs: 10 },
    });
    const serving = await serve(fake);
    const everyMs = (2 * USERS * MINUTE) / (1.5 * CALLS);
    const common = { redisUrl: url(), prefix: `processes ${process.pid}`, baseUrl: `${serving.url}/v1` };
    const children = [1, 2].map((seed) => {
      const options = { ...common, start, users: USERS, everyMs, minutes: MINUTES, seed };
      return fork(join(__dirname, 'instance.mjs'), [JSON.stringify(options)], { execArgv: [] });
    });
    await Promise.all(children.map(told));
    let states: Told[] = [];
    for (let ms = 0; ms < MINUTES * MINUTE; ms += STEP) {
      clock.advance(STEP);
      states = await quiet(children, STEP, () => fake.underWay);
    }
    const exits = children.map((child) => once(child, 'exit'));
    for (const child of children) child.send({ advanceMs: 0, ends: true });
    await Promise.all(exits);
    serving.close();
    const asked = fake.calls.length;
    expect(countOf429(fake)).toBeLessThanOrEqual(asked / 100);
    expect(states.reduce((sum, { failed }) => sum + failed, 0)).toBeLessThanOrEqual(asked / 100);
    // As a window begins anew they go together at hardly more than twice the rate at which they may go on.
    const afterReset = fake.calls.filter(({ at }) => at >= start + MINUTE && at % MINUTE < 20_000);
    expect(mostWithin(5_000, afterReset)).toBeLessThanOrEqual((2.5 * CALLS * 5_000) / MINUTE);
    const later = [start + MINUTE, start + MINUTES * MINUTE] as const;
    expect(shareUsed(fake, 'requests', CALLS, later)).toBeGreaterThanOrEqual(0.95);
  }, 120_000);
});

/** Lets time pass in all processes, and waits until all that is under way there waits for the provider's clock. */
async function quiet(children: readonly ChildProcess[], ms: number, atProvider: () => number): Promise<Told[]> {
  for (let advanceMs = ms; ; advanceMs = 0) {
    const states = await Promise.all(
      children.map((child) => {
        const answer = told(child);
        child.send({ advanceMs });
        return answer;
      }),
    );
    const sent = states.reduce((sum, { underWay }) => sum + underWay, 0);
    // What one has given back may let another's begin: not before nothing has changed.
    if (advanceMs === 0 && sent === atProvider()) return states;
  }
}

async function told(child: ChildProcess): Promise<Told> {
  const [message] = await once(child, 'message');
  return message as Told;
}
