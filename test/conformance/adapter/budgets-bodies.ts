/** What a request's body says of the tokens that it will take, where nothing else says it. */
import { budget, slidingWindow } from '@tollgate/core';
import type { Annotation, Call } from './harness.js';
import { as, type BenchSpec, type Open } from './workbench.js';

/** A token read costs a nano-dollar, one written a thousand: both can be told from what is charged. */
const prices = { m: { input: '$0.001/M', output: '$1/M' } } as const;
const tiers = { small: { permits: 1, inputTokens: 70, outputTokens: 30 } } as const;
const usd = (inputTokens: number, outputTokens: number) => inputTokens + 1000 * outputTokens;
const BY_TIER = [70, 30];

const user = budget({ name: 'user', by: 'user', limit: '$5', per: 'day' });
const toll = { tier: 'small', model: 'm' } as const;
const ann = { user: 'ann' };

/** As many tokens as it has words, in any tokenizer, or up to twice as many. */
const TEXT = 'The quick brown fox jumps over the lazy dog and runs far away. '.repeat(20);
const WORDS = 260;

const SHAPES = {
  'OpenAI’s chat': { messages: [{ role: 'user', content: TEXT }], max_completion_tokens: 123 },
  'OpenAI’s chat, in parts': { messages: [{ role: 'user', content: [{ type: 'text', text: TEXT }] }], max_tokens: 123 },
  'OpenAI’s responses': { instructions: 'Be brief.', input: TEXT, max_output_tokens: 123 },
  'Anthropic’s messages': { system: TEXT, messages: [{ role: 'user', content: 'Go on.' }], max_tokens: 123 },
  'Gemini’s contents': { contents: [{ parts: [{ text: TEXT }] }], generationConfig: { maxOutputTokens: 123 } },
} as const;
const CHAT = SHAPES['OpenAI’s chat'];

const tell = ({ admission }: Call) => ({
  body: JSON.stringify([admission?.estimate.inputTokens, admission?.estimate.outputTokens, admission?.estimate.usd]),
});

export function budgetBodyContract(open: Open): void {
  async function openWith(annotation: Annotation = toll, more: Partial<BenchSpec> = {}) {
    const bench = await open({
      budgets: [user],
      prices,
      tiers,
      routes: (['GET', 'POST'] as const).map((method) => ({ method, path: '/', toll: annotation, handler: tell })),
      ...more,
    });

    /** The tokens that an admission was charged for, and the dollars that it was. */
    async function estimated(body?: unknown, headers = {}) {
      const before = await bench.used('user', ann);
      const json = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) };
      const { text } = await bench.send('/', { headers: { ...as(ann), ...headers }, ...json });
      const [input, output, nanoDollars] = JSON.parse(text);
      const charged = (await bench.used('user', ann)) - before;
      expect(charged).toBe(nanoDollars);
      return { tokens: [input, output], charged };
    }

    return { ...bench, estimated };
  }

  test.each(Object.entries(SHAPES))('%s is estimated from its text and what it allows', async (_, body) => {
    const { estimated } = await openWith();
    const { tokens, charged } = await estimated(body);
    expect(tokens).toEqual([expect.any(Number), 123]);
    expect(tokens[0]).toBeGreaterThanOrEqual(WORDS);
    expect(tokens[0]).toBeLessThan(2 * WORDS);
    expect(charged).toBe(usd(tokens[0], 123));
  });

  test('where the body sets no bound, the tier does', async () => {
    const { estimated } = await openWith();
    expect((await estimated({ prompt: TEXT })).tokens[1]).toBe(30);
  });

  test('limits in tokens go by it, too', async () => {
    const tokens = slidingWindow({ name: 'tokens', by: 'user', unit: 'outputTokens', limit: 200, window: '1m' });
    const { send, used } = await openWith(toll, { limits: [tokens], budgets: [] });
    const ask = { headers: as(ann), body: JSON.stringify(CHAT) };
    expect([(await send('/', ask)).status, (await send('/', ask)).status]).toEqual([200, 429]);
    expect(await used('tokens', ann)).toBe(123);
  });

  test.each<[string, Annotation, number[]]>([
    ['an estimate', { ...toll, estimate: { inputTokens: 5, outputTokens: 6 } }, [5, 6]],
    ['an estimate of nothing', { ...toll, estimate: { inputTokens: 0, outputTokens: 0 } }, [0, 0]],
    ['an estimate as a function', { ...toll, estimate: async () => ({ inputTokens: 5, outputTokens: 6 }) }, [5, 6]],
  ])('a toll that gives %s goes before the body', async (_, annotation, tokens) => {
    const { estimated } = await openWith(annotation);
    expect(await estimated(CHAT)).toEqual({ tokens, charged: usd(tokens[0], tokens[1]) });
  });

  test('what an estimate leaves out is taken from the body', async () => {
    const input = await openWith({ ...toll, estimate: { inputTokens: 5 } });
    expect((await input.estimated(CHAT)).tokens).toEqual([5, 123]);
    const output = await openWith({ ...toll, estimate: { outputTokens: 6 } });
    const { tokens } = await output.estimated(CHAT);
    expect(tokens).toEqual([expect.any(Number), 6]);
    expect(tokens[0]).toBeGreaterThanOrEqual(WORDS);
  });

  test('what dollars that are given don’t say is taken from the body, for limits in tokens', async () => {
    const tokens = slidingWindow({ name: 'tokens', by: 'user', unit: 'outputTokens', limit: 200, window: '1m' });
    const { estimated, used } = await openWith({ ...toll, usd: '$0.02' }, { limits: [tokens] });
    expect((await estimated(CHAT)).charged).toBe(20e6);
    expect(await used('tokens', ann)).toBe(123);
  });

  test.each<[string, Annotation]>([
    ['fixed', { ...toll, usd: '$0.02' }],
    ['as a function', { ...toll, usd: (req) => (req.body === undefined ? '$0' : '$0.02') }],
  ])('dollars that the toll gives, %s, are what is charged', async (_, annotation) => {
    const { estimated } = await openWith(annotation);
    expect((await estimated(CHAT)).charged).toBe(20e6);
  });

  describe('what is not there counts as the tier says', () => {
    test.each(['GET', 'POST'])('a %s without a body', async (method) => {
      const { send } = await openWith();
      expect(JSON.parse((await send('/', { method, headers: as(ann) })).text).slice(0, 2)).toEqual(BY_TIER);
    });

    test('a body that nobody has parsed', async () => {
      const { estimated } = await openWith(toll, { parsesBodies: false });
      expect((await estimated(CHAT)).tokens).toEqual(BY_TIER);
    });

    test.each(['{}', '[]', '{"stream":true}'])('a body that has no text: %s', async (body) => {
      const { estimated } = await openWith();
      expect((await estimated(body)).tokens).toEqual(BY_TIER);
    });
  });

  describe('a hostile body', () => {
    const deep = (open: string, close: string, times: number) => `${open.repeat(times)}"x"${close.repeat(times)}`;
    const HOSTILE: [string, string, status: number][] = [
      ['deep lists', deep('[', ']', 100_000), 200],
      ['deep objects', deep('{"a":', '}', 100_000), 200],
      ['a list of 200,000 numbers', `[${'1,'.repeat(200_000)}1]`, 200],
      ['50,000 members', `{${Array.from({ length: 50_000 }, (_, i) => `"k${i}":"v"`)}}`, 200],
      ['4 MB of text', JSON.stringify({ prompt: 'x'.repeat(4 << 20) }), 200],
      ['names of prototypes', '{"__proto__":{"max_tokens":5},"constructor":{"prototype":{"n":9}},"toString":"x"}', 200],
      ['a length of its own', '{"length":-1,"messages":{"length":1e9,"0":"x"},"prompt":"x"}', 200],
      ['half characters', '{"prompt":"\\ud800\\udfff\\ud800"}', 200],
      ['maxima that are none', '{"prompt":"x","max_tokens":-5,"max_output_tokens":"9","maxTokens":{},"n":-3}', 200],
      ['an answer without end', '{"prompt":"x","max_tokens":1e308}', 422],
      ['infinity', '{"prompt":"x","max_tokens":20,"n":1e400}', 200],
    ];

    test.each(HOSTILE)('%s: is answered, charged no less than nothing, and harms nobody', async (_, body, status) => {
      const { send, used, errors } = await openWith();
      expect((await send('/', { headers: as(ann), body })).status).toBe(status);
      const charged = await used('user', ann);
      if (status === 200) expect(charged).toBeGreaterThanOrEqual(usd(1, 5));
      else expect(charged).toBe(0);
      expect(Number.isSafeInteger(charged)).toBe(true);
      expect(errors).toEqual([]);
      expect(Object.hasOwn(Object.prototype, 'max_tokens')).toBe(false);
      const bob = { user: 'bob' };
      expect((await send('/', { headers: as(bob), body: JSON.stringify(CHAT) })).status).toBe(200);
      expect(await used('user', bob)).toBeLessThan(usd(2 * WORDS, 124));
    });
  });
}
