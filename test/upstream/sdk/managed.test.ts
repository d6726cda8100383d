/**
 * The SDKs with `llm.fetch` in between: nothing of what they see is other than without it, and what they do is on the books.
 *
 * @jest-environment ./test/helpers/sdk-environment.cjs
 */
import { type Answer, textAnswer, toolAnswer } from '@tollgate/fake-provider';
import { createUpstream } from '@tollgate/upstream';
import { idle, useFakeProviders } from '../../helpers/fake-provider.js';
import { SDKS } from '../../helpers/sdk-clients.js';
import { openBooks } from '../../helpers/upstream-books.js';

const start = useFakeProviders();

const KEYS = ['sk-fake-1', 'sk-fake-2'];

const ASK = { prompt: 'What is a toll, and who pays it?', maxTokens: 400 };

const THOUGHT: Answer = { ...textAnswer(20), reasoning: 6, cacheRead: 4 };

describe.each(SDKS)('$name', (sdk) => {
  async function managed(behaviour: object = {}) {
    const fake = await start({ kind: sdk.kind, keys: KEYS, ...behaviour });
    const books = openBooks();
    const baseUrl = fake.url + sdk.base;
    const keys = KEYS.map((secret, i) => ({ name: `k${i}`, secret: () => secret }));
    const provider = sdk.provider({ baseUrl, keys });
    const llm = createUpstream({ gate: books.gate, providers: [provider] });
    const client = sdk.connect(baseUrl, llm.fetch);
    return {
      fake,
      books,
      llm,
      ask: (more: object = {}) => books.admitted('ada', () => client.ask({ ...ASK, ...more })),
      /** @param most pieces after which it leaves */
      listen: (more: object = {}, most = Number.POSITIVE_INFINITY) =>
        books.admitted('ada', async () => {
          let text = '';
          let heard = 0;
          for await (const piece of client.listen({ ...ASK, ...more })) {
            text += piece;
            if (++heard >= most) break;
          }
          return text;
        }),
    };
  }

  test.each(['ask', 'listen'] as const)(
    '%s: one call with the key, its answer whole, its bill on the books',
    async (how) => {
      const { fake, books, ...client } = await managed({ answer: () => THOUGHT });
      expect(await client[how]()).toBe(THOUGHT.text.join(''));
      expect(fake.calls).toMatchObject([{ key: KEYS[0], status: 200, end: 'whole', model: sdk.model }]);
      expect(await books.spent('ada')).toBe(fake.total());
    },
  );

  test.each(['ask', 'listen'] as const)('%s: a tool call', async (how) => {
    const { fake, books, ...client } = await managed({ answer: () => toolAnswer('search', { query: 'toll' }) });
    expect(JSON.parse(await client[how]({ tool: 'search' }))).toEqual({ query: 'toll' });
    expect(fake.calls).toMatchObject([{ tools: ['search'], end: 'whole' }]);
    expect(await books.spent('ada')).toBe(fake.total());
  });

  test('who leaves a stream leaves the provider, and pays for what was generated, and little more', async () => {
    const { fake, books, listen } = await managed({ answer: () => textAnswer(300), tokenMs: 2 });
    await listen({}, 100);
    await idle(fake);
    expect(fake.calls).toMatchObject([{ end: 'left' }]);
    const spent = Number(await books.spent('ada'));
    const billed = Number(fake.total());
    expect(spent).toBeGreaterThanOrEqual(billed);
    expect(spent).toBeLessThanOrEqual(1.1 * billed);
  });

  test.each([{ status: 503 }, { status: 429, retryAfterMs: 1000 }, {}])(
    '%j: it is sent no more often than the SDK would by itself, or to each key once',
    async (fault) => {
      const { fake, books, ask } = await managed({ fault: () => fault });
      await expect(ask()).rejects.toThrow();
      expect(fake.calls.length).toBeGreaterThanOrEqual(1);
      const asked = KEYS.map((key) => fake.calls.filter((call) => call.key === key).length);
      expect(Math.max(...asked)).toBeLessThanOrEqual(sdk.tries);
      // A call that was sent by several keys is not sent by them again.
      expect(fake.calls.length).toBeLessThanOrEqual(Math.max(sdk.tries, KEYS.length));
      expect(await books.spent('ada')).toBeGreaterThanOrEqual(fake.total());
    },
    60_000,
  );
});
