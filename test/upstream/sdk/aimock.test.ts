/**
 * Another fake, made by others to be like the providers: what it tells of its usage is what is booked.
 *
 * @jest-environment ./test/helpers/sdk-environment.cjs
 */
import { LLMock } from '@copilotkit/aimock';
import { createUpstream } from '@tollgate/upstream';
import { SDKS } from '../../helpers/sdk-clients.js';
import { openBooks, PRICES } from '../../helpers/upstream-books.js';

const USAGE = { input: 11, output: 7 };

let mock: LLMock;
beforeAll(async () => {
  mock = new LLMock({ port: 0 });
  const usage = {
    prompt_tokens: USAGE.input,
    completion_tokens: USAGE.output,
    total_tokens: USAGE.input + USAGE.output,
  };
  const { input: input_tokens, output: output_tokens } = USAGE;
  const { input: promptTokenCount, output: candidatesTokenCount } = USAGE;
  const all = { ...usage, input_tokens, output_tokens, promptTokenCount, candidatesTokenCount };
  mock.onMessage(/toll/, { content: 'It is paid at a gate.', usage: all });
  await mock.start();
});
afterAll(() => mock.stop());

test.each(SDKS.flatMap((sdk) => (['ask', 'listen'] as const).map((how) => [sdk.name, how, sdk] as const)))(
  '%s, %s',
  async (_, how, sdk) => {
    const books = openBooks();
    const baseUrl = mock.url + sdk.base;
    const keys = ['k1', 'k2'].map((name) => ({ name, secret: () => 'sk-1' }));
    const llm = createUpstream({ gate: books.gate, providers: [sdk.provider({ baseUrl, keys })] });
    const client = sdk.connect(baseUrl, llm.fetch);
    const text = await books.admitted('ada', async () => {
      const ask = { prompt: 'What is a toll?', maxTokens: 100 };
      if (how === 'ask') return client.ask(ask);
      let heard = '';
      for await (const piece of client.listen(ask)) heard += piece;
      return heard;
    });
    expect(text).toBe('It is paid at a gate.');
    const { input, output } = PRICES[sdk.model as keyof typeof PRICES];
    const perToken = (price: string) => Number(/\$([\d.]+)/.exec(price)?.[1]) * 1000;
    expect(Number(await books.spent('ada'))).toBe(USAGE.input * perToken(input) + USAGE.output * perToken(output));
  },
);
