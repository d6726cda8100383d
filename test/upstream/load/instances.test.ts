/** Two instances that share Redis, and fifty users who ask for half as much again as the provider allows both together. */
import { redisStore } from '@tollgate/core/redis';
import { type ManualClock, manualClock } from '@tollgate/core/testing';
import { createProvider, fetchOf, textAnswer } from '@tollgate/fake-provider';
import { createUpstream, openai } from '@tollgate/upstream';
import { Redis } from 'ioredis';
import { describeWithRedis, useRedis } from '../../helpers/redis-server.js';
import { openBooks } from '../../helpers/upstream-books.js';
import { countOf429, MINUTE, playUsers, shareUsed } from '../../helpers/upstream-load.js';

const CALLS = 180;
const MINUTES = 3;
const STEP = 100;

describeWithRedis('two instances', () => {
  const url = useRedis();
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });

  test.each(['bucket', 'window'] as const)(
    'hardly a call meets a 429, and hardly any room is idle: a %s',
    async (rule) => {
      const clock = manualClock();
      const start = clock.now();
      const pace = { latencyMs: 500, tokenMs: 10 };
      const limits = { requests: CALLS, rule };
      const fake = createProvider({
        kind: 'openai',
        keys: ['sk-1'],
        limits,
        clock,
        answer: () => textAnswer(50),
        ...pace,
      });
      const instances = [1, 2].map(() => {
        const client = new Redis(url());
        const { gate } = openBooks({
          clock,
          store: redisStore(client, { clock: 'gate', prefix: rule, timeoutMs: 60_000 }),
        });
        const keys = [{ name: 'prod-1', secret: () => 'sk-1' }];
        const llm = createUpstream({
          gate,
          providers: [openai({ keys })],
          fetch: fetchOf(fake),
          maxWait: { standard: '1m' },
        });
        open.push(llm, gate, { close: async () => client.disconnect() });
        return { client, llm };
      });
      const statuses = await playUsers({
        ...{ clock, users: 50, perMinute: 1.5 * CALLS, minutes: MINUTES },
        play: (ms) =>
          playWith(
            clock,
            ms,
            instances.map(({ client }) => client),
          ),
        async ask(user) {
          const { llm } = instances[user % 2] as (typeof instances)[number];
          const response = await llm
            .as({ subject: { user: `user-${user}` } })
            .fetch('https://api.openai.com/v1/chat/completions', {
              method: 'POST',
              body: '{"model":"gpt-5-mini","max_tokens":50,"messages":[{"role":"user","content":"Hm?"}]}',
            });
          await response.text();
          return response.status;
        },
      });
      const failed = statuses.filter((status) => status !== 200).length;
      const later = [start + 2 * MINUTE, start + MINUTES * MINUTE] as const;
      expect(countOf429(fake)).toBeLessThanOrEqual(statuses.length / 100);
      expect(failed).toBeLessThanOrEqual(statuses.length / 100);
      expect(shareUsed(fake, 'requests', CALLS, later)).toBeGreaterThanOrEqual(0.95);
    },
    300_000,
  );
});

/** As the clock plays, with Redis given its time after each step: what it is asked is answered before the clock moves on. */
async function playWith(clock: ManualClock, ms: number, clients: readonly Redis[]): Promise<void> {
  for (let played = 0; played < ms; played += STEP) {
    clock.advance(STEP);
    for (let quiet = 0; quiet < 2; ) {
      await Promise.all(clients.map((client) => client.ping()));
      await new Promise((resolve) => setImmediate(resolve));
      quiet = clients.every((client) => client.commandQueue.length === 0) ? quiet + 1 : 0;
    }
  }
}
