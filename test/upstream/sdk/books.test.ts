/**
 * Over a thousand calls of all SDKs, of which some are left, and some break: the books against the providers' own bill.
 *
 * @jest-environment ./test/helpers/sdk-environment.cjs
 */
import {
  type Answer,
  type CallRecord,
  createProvider,
  type Fault,
  fetchOf,
  randomBy,
  textAnswer,
  toolAnswer,
} from '@tollgate/fake-provider';
import { createUpstream } from '@tollgate/upstream';
import { SDKS } from '../../helpers/sdk-clients.js';
import { openBooks } from '../../helpers/upstream-books.js';

const CALLS = 1020;
const AT_ONCE = 20;
const TEXT =
  'Please summarise the following report for our customers in three paragraphs, and mention every important deadline. ' +
  'What was decided in the meeting, who is responsible for it, and what does it cost? Answer in plain words. ';
const WORDS = TEXT.repeat(6).split(' ');

const random = randomBy(7);
const chance = (share: number) => random() < share;
const between = (least: number, most: number) => least + Math.floor(random() * (most - least + 1));

/** What is asked, and what becomes of it. */
interface Plan {
  readonly sdk: (typeof SDKS)[number];
  readonly prompt: string;
  readonly maxTokens: number;
  readonly tool: string | undefined;
  readonly how: 'ask' | 'listen';
  /** Pieces after which the client leaves. */
  readonly leavesAfter: number;
  readonly answer: Answer;
  readonly fault: Fault | undefined;
}

function planOf(i: number): Plan {
  const how = chance(0.3) ? 'ask' : 'listen';
  const isLeft = how === 'listen' && chance(0.35);
  const breaks = how === 'listen' && !isLeft && chance(0.1);
  const tool = chance(0.2) ? 'search' : undefined;
  const tokens = between(1, 120);
  const extras = isLeft || breaks ? {} : { reasoning: chance(0.3) ? between(1, 50) : 0, cacheRead: between(0, 5) };
  const said = tool
    ? toolAnswer(tool, { query: WORDS.slice(0, between(1, 20)).join(' ') })
    : textAnswer(tokens, random);
  return {
    ...{ sdk: SDKS[i % SDKS.length] as Plan['sdk'], how, tool, maxTokens: 200, answer: { ...said, ...extras } },
    prompt: `#${i} ${WORDS.slice(0, between(1, WORDS.length)).join(' ')}`,
    leavesAfter: isLeft ? between(1, 40) : Number.POSITIVE_INFINITY,
    fault: breaks ? { afterTokens: between(1, 20), ...(chance(0.5) && { status: 500 }) } : undefined,
  };
}

const plans = Array.from({ length: CALLS }, (_, i) => planOf(i));
const planned = ({ body }: CallRecord | { body: unknown }) => Number(/#(\d+) /.exec(JSON.stringify(body))?.[1]);

test('what a call did use is on the books to the nano-dollar, and elsewhere hardly more', async () => {
  const fakes = ['openai', 'anthropic', 'gemini'].map((kind) => {
    const fake = createProvider({
      kind: kind as 'openai',
      keys: ['sk-1'],
      answer: (call) => plans[planned(call as unknown as CallRecord)]?.answer as Answer,
      fault: (call) => plans[planned(call as unknown as CallRecord)]?.fault,
    });
    return { kind, host: `${kind}.test`, fake };
  });
  const books = openBooks();
  const llm = createUpstream({
    gate: books.gate,
    providers: fakes.map(({ kind, host }) => {
      const sdk = SDKS.find((sdk) => sdk.kind === kind) as Plan['sdk'];
      return sdk.provider({ baseUrl: `https://${host}${sdk.base}`, keys: [{ name: 'k1', secret: () => 'sk-1' }] });
    }),
    fetch: (input, init) => {
      const { host } = new URL(String(input));
      const { fake } = fakes.find((one) => one.host === host) as (typeof fakes)[number];
      return fetchOf(fake)(input, init);
    },
  });

  async function call(i: number): Promise<void> {
    const { sdk, how, leavesAfter, ...ask } = plans[i] as Plan;
    const client = sdk.connect(`https://${sdk.kind}.test${sdk.base}`, llm.fetch);
    await books
      .admitted(`user-${i}`, async () => {
        if (how === 'ask') return void (await client.ask(ask));
        let heard = 0;
        for await (const _ of client.listen(ask)) if (++heard >= leavesAfter) break;
      })
      .catch((error) => {
        if (plans[i]?.fault === undefined) throw error;
      });
  }

  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < CALLS) await call(next++);
    }),
  );

  const calls = fakes.flatMap(({ fake }) => fake.calls);
  expect(calls).toHaveLength(CALLS);
  const cut = { spent: 0, billed: 0, calls: 0 };
  for (const call of calls) {
    const i = planned(call);
    const spent = await books.spent(`user-${i}`);
    if (call.end === 'whole') expect([i, spent]).toEqual([i, call.bill]);
    else expect([i, spent >= call.bill]).toEqual([i, true]);
    // Where nothing of the answer has come, nobody knows what it has cost: the estimate stands.
    if (call.end === 'whole' || call.usage.output < 3) continue;
    cut.spent += Number(spent);
    cut.billed += Number(call.bill);
    cut.calls++;
  }
  expect(cut.calls).toBeGreaterThan(CALLS / 5);
  expect(cut.spent / cut.billed).toBeLessThanOrEqual(1.1);
  await llm.close();
  await books.gate.close();
}, 300_000);
