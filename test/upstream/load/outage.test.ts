/** What happens to keys and providers while users ask, and what the users notice of it. */
import { manualClock } from '@tollgate/core/testing';
import { createProvider, type FakeProvider, fetchOf, textAnswer } from '@tollgate/fake-provider';
import { createUpstream, openai, openrouter } from '@tollgate/upstream';
import { openBooks } from '../../helpers/upstream-books.js';
import { MINUTE, playUsers } from '../../helpers/upstream-load.js';

const MODEL = 'gpt-5-mini';

/** Twenty users, who ask 300 times a minute for two minutes, and two providers, of which one stands in for the other. */
function setUp() {
  const clock = manualClock();
  const [first, second] = ['sk-1', 'sk-9'].map((key) =>
    createProvider({ kind: 'openai', keys: [key], clock, latencyMs: 300, tokenMs: 10, answer: () => textAnswer(20) }),
  ) as [FakeProvider, FakeProvider];
  const secrets = { current: 'sk-1' };
  const llm = createUpstream({
    gate: openBooks({ clock }).gate,
    providers: [
      openai({ keys: [{ name: 'prod-1', secret: () => secrets.current }] }),
      openrouter({ keys: [{ name: 'spare-1', secret: () => 'sk-9' }] }),
    ],
    failover: { openai: [{ provider: 'openrouter', models: { [MODEL]: `openai/${MODEL}` } }] },
    fetch: (input, init) => fetchOf(new URL(String(input)).host === 'openrouter.ai' ? second : first)(input, init),
  });
  const failures: string[] = [];
  const play = (stream: boolean) =>
    playUsers({
      ...{ clock, users: 20, perMinute: 300, minutes: 2 },
      async ask(user) {
        const response = await llm
          .as({ subject: { user: `user-${user}` } })
          .fetch('https://api.openai.com/v1/chat/completions', {
            method: 'POST',
            body: JSON.stringify({ model: MODEL, stream, messages: [{ role: 'user', content: 'Hm?' }] }),
          });
        const text = await response.text().catch((error) => `broke: ${error.message}`);
        if (response.status !== 200 || text.startsWith('broke')) failures.push(`${response.status} ${text}`);
        return response.status;
      },
    });
  return { clock, first, second, secrets, failures, play };
}

test('a key that is replaced while users ask: no request fails, and soon all go by the new one', async () => {
  const { clock, first, second, secrets, failures, play } = setUp();
  clock.after(0.5 * MINUTE, () => void first.keys.add('sk-2'));
  clock.after(MINUTE, () => {
    secrets.current = 'sk-2';
  });
  clock.after(1.5 * MINUTE, () => void first.keys.delete('sk-1'));
  await play(false);
  expect(failures).toEqual([]);
  expect(second.calls).toEqual([]);
  const keys = [...new Set(first.calls.map(({ key }) => key))];
  expect(keys).toEqual(['sk-1', 'sk-2']);
  expect(first.calls.findLast(({ key }) => key === 'sk-1')?.at).toBeLessThan(clock.now() - 0.4 * MINUTE);
}, 120_000);

test('a key that is revoked before anybody has told: the next request gets the new one, and none fails', async () => {
  const { clock, first, second, secrets, failures, play } = setUp();
  clock.after(MINUTE, () => {
    first.keys.delete('sk-1');
    first.keys.add('sk-2');
    secrets.current = 'sk-2';
  });
  await play(false);
  expect(failures).toEqual([]);
  expect(second.calls.length).toBeLessThanOrEqual(20);
}, 120_000);

test.each([
  ['its connections break', {}],
  ['it says that it is overloaded', { status: 503 }],
])(
  'a provider dies, and %s: the other one answers, and no request is lost that had not begun to stream',
  async (_, fault) => {
    const { clock, first, second, failures, play } = setUp();
    const death = clock.now() + MINUTE;
    clock.after(MINUTE, () => {
      first.fault = () => fault;
    });
    const statuses = await play(true);
    expect(failures).toEqual([]);
    expect(statuses.length).toBeGreaterThan(500);
    // While it is dead it is hardly asked: now and then, whether it lives again.
    const inVain = first.calls.filter(({ at }) => at >= death).length;
    expect(inVain).toBeLessThan(statuses.length / 20);
    expect(second.calls.length).toBeGreaterThan(statuses.length / 3);
  },
  120_000,
);
