/** Fifty users ask for half as much again as a provider allows: hardly a call is refused by it, and hardly any of it is idle. */
import { type ManualClock, manualClock } from '@tollgate/core/testing';
import {
  createProvider,
  type FakeProvider,
  fetchOf,
  type Limits,
  promptTokens,
  textAnswer,
} from '@tollgate/fake-provider';
import { createUpstream, type LimitOptions, openai } from '@tollgate/upstream';
import { openBooks } from '../../helpers/upstream-books.js';
import { countOf429, MINUTE, mostWithin, naiveRetry, playUsers, shareUsed } from '../../helpers/upstream-load.js';

const OPENAI = 'https://api.openai.com/v1';

const USERS = 50;
const MINUTES = 3;
const CALLS = 240;
const ANSWER = 50;

const PROMPT = 'What is a toll, and who pays it? '.repeat(20);
/** By the fake's own count. */
const TOKENS = promptTokens(['user', PROMPT]) + ANSWER;

const BODY = JSON.stringify({
  ...{ model: 'gpt-5-mini', max_tokens: ANSWER },
  messages: [{ role: 'user', content: PROMPT }],
});

function provide(limits: Limits) {
  const clock = manualClock();
  const answer = () => textAnswer(ANSWER);
  const pace = { latencyMs: 500, tokenMs: 10 };
  const fake = createProvider({ kind: 'openai', keys: ['sk-1'], limits, clock, answer, ...pace });
  /** @param fetchOf what each user's calls go through */
  async function play(fetchOf: (user: number) => typeof fetch) {
    const load = { clock, users: USERS, perMinute: 1.5 * CALLS, minutes: MINUTES };
    const start = clock.now();
    const statuses = await playUsers({
      ...load,
      async ask(user) {
        const headers = { authorization: 'Bearer sk-1' };
        const response = await fetchOf(user)(`${OPENAI}/chat/completions`, { method: 'POST', headers, body: BODY });
        await response.text();
        return response.status;
      },
    });
    return {
      start,
      asked: statuses.length,
      failed: statuses.filter((status) => status !== 200).length,
      // At first a bucket is full, and that is drunk up on top of what comes in.
      later: [start + 2 * MINUTE, start + MINUTES * MINUTE] as const,
    };
  }
  return { clock, fake, play };
}

function managed(clock: ManualClock, fake: FakeProvider, limits: LimitOptions) {
  const keys = [{ name: 'prod-1', secret: () => 'sk-1' }];
  return createUpstream({
    gate: openBooks({ clock }).gate,
    providers: [openai({ keys, limits: { default: limits } })],
    fetch: fetchOf(fake),
    maxWait: { standard: '1m' },
  });
}

describe.each([
  ['requests', 'bucket', CALLS],
  ['requests', 'window', CALLS],
  ['tokens', 'bucket', CALLS * TOKENS],
  ['tokens', 'window', CALLS * TOKENS],
] as const)('%s, limited by a %s', (unit, rule, limit) => {
  test.each(['learned from answers', 'configured'])(
    'and %s',
    async (how) => {
      const { clock, fake, play } = provide({ [unit]: limit, rule });
      const llm = managed(clock, fake, how === 'configured' ? { minute: { [unit]: limit } } : {});
      const { start, asked, failed, later } = await play((user) => llm.as({ subject: { user: `user-${user}` } }).fetch);
      expect(countOf429(fake)).toBeLessThanOrEqual(asked / 100);
      expect(failed).toBeLessThanOrEqual(asked / 100);
      expect(shareUsed(fake, unit, limit, later)).toBeGreaterThanOrEqual(0.95);
      // Nor do those who waited come all at once when a window begins anew: hardly more than twice as fast as they may go on.
      const afterReset = fake.calls.filter(({ at }) => at >= start + MINUTE && at % MINUTE < 20_000);
      expect(mostWithin(5_000, afterReset)).toBeLessThanOrEqual((2.5 * CALLS * 5_000) / MINUTE);
    },
    120_000,
  );
});

test('by itself an app that tries again meets a refusal with most of its calls, once a bucket is drunk up', async () => {
  const { clock, fake, play } = provide({ requests: CALLS });
  const later = clock.now() + 2 * MINUTE;
  const met: boolean[] = [];
  await play(() => async (input, init) => {
    let isRefused = false;
    const watched: typeof fetch = async (...args) => {
      const response = await fetchOf(fake)(...args);
      isRefused ||= response.status === 429;
      return response;
    };
    const isLater = clock.now() >= later;
    const response = await naiveRetry(watched, clock)(input, init);
    if (isLater) met.push(isRefused);
    return response;
  });
  expect(met.filter(Boolean).length).toBeGreaterThan(met.length / 2);
}, 120_000);
