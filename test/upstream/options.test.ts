/** What `createUpstream` is given is checked as a whole, and no secret is in what it says, nor in anything else. */
import { inspect } from 'node:util';
import { createUpstream, openai, type UpstreamOptions } from '@tollgate/upstream';
import { thrownBy } from '../core/support.js';
import { fakeTransport, format, gateOf, key, post, provider, warnings } from './support.js';

beforeEach(() => void warnings());

const AT = 'http://one.test/v1';

/** Wrong on purpose: what a caller without types might pass. */
const problemsOf = (options: unknown) => {
  const { message } = thrownBy(() => createUpstream(options as UpstreamOptions));
  return message
    .split('\n')
    .slice(1)
    .map((line) => line.trim());
};

test('all mistakes are told of at once, each with its path, the value and what would be right', () => {
  const other = provider('other', 'http://other.test', [key('k1')], {
    format: { ...format, name: 'spoken elsewhere' },
  });
  const problems = problemsOf({
    gate: {},
    providers: [provider('one', AT, [key('k1')]), provider('one', AT, [key('k1')]), { keys: 'sk-hidden' }, other],
    failover: {
      nobody: [],
      one: [{ provider: 'one' }, { provider: 'other' }, { provider: 'none', models: { a: 5 } }, 'other'],
    },
    degrade: 'yes',
    maxWait: { urgent: '1s', batch: 'long' },
    concurrency: { min: 5, max: 1 },
    timeout: '5 minutes',
    environment: 'a b',
    fetch: 'fetch',
    keys: ['sk-hidden'],
  });
  expect(problems).toMatchInlineSnapshot(`
[
  "providers[1].name: got 'one'; expected a name of its own: another provider has this one",
  "providers[2]: got a value that is not shown; expected what openai({ keys }) or such returns",
  "gate: got an object; expected what createTollgate(…) returns",
  "failover.nobody: got 'nobody'; expected the name of a provider: 'one', 'other'",
  "failover.one[0].provider: got 'one'; expected the name of another provider",
  "failover.one[1].provider: got 'other'; expected one of the same wire format, which is 'fake'",
  "failover.one[2].provider: got 'none'; expected the name of another provider",
  "failover.one[2].models: got an object; expected a map from models that are asked for to its own, such as { 'gpt-5': 'my-gpt-5' }",
  "failover.one[3]: got 'other'; expected an object such as { provider: 'azure' }",
  "degrade: got 'yes'; expected true or false",
  "timeout: got '5 minutes'; expected milliseconds above 0, or such as '30s', '5m' or '1h'",
  "environment: got 'a b'; expected a name of 1 to 64 letters, digits, '-', '_', '.' or ':', beginning with a letter or digit",
  "fetch: got 'fetch'; expected a function such as fetch",
  "concurrency.max: got 1; expected a whole number from 5 to 9007199254740991",
  "maxWait.urgent: got '1s'; expected no such priority; there are interactive, standard, batch, background",
  "maxWait.batch: got 'long'; expected a duration such as '10s' or '5m', or '0s' for no wait",
  "upstream.keys: got a value that is not shown; expected no such field",
]
`);
});

test('a provider is needed, and prices where a key has a daily budget', () => {
  const { gate } = gateOf();
  const capped = provider('one', AT, [key('k1', { dailyBudget: '$5' })]);
  expect(problemsOf({ gate, providers: [capped] })).toEqual([
    "prices: got undefined; expected prices such as catalogPrices(), since key 'k1' has a daily budget",
  ]);
  const expected = 'expected a list of at least one provider, such as [openai({ keys })]';
  expect(problemsOf({ gate, providers: [] })).toEqual([`providers: got a list; ${expected}`]);
  expect(problemsOf(undefined)).toContain(`providers: got undefined; ${expected}`);
});

test('no secret is in what an upstream shows, tells or answers', async () => {
  const { fetch } = fakeTransport((_, n) => ({ status: [401, 429, 500, 200][n % 4], body: {} }));
  const { gate, clock } = gateOf({ budgets: [] });
  const keys = [1, 2].map((n) => ({ name: `k${n}`, secret: () => 'sk-hidden' }));
  const llm = createUpstream({ gate, providers: [openai({ keys, baseUrl: AT })], fetch, maxWait: '0s' });
  const shown: unknown[] = [llm, llm.fetch, llm.as({ subject: { user: 'u' } }), openai({ keys })];
  for (const name of [
    'sent',
    'answered',
    'unanswered',
    'throttled',
    'escalated',
    'key.out',
    'provider.cooling',
  ] as const) {
    llm.on(name, (event) => shown.push(event));
  }
  gate.on('admitted', (event) => shown.push(event));
  gate.on('settled', (event) => shown.push(event));
  for (let i = 0; i < 12; i++) {
    clock.advance(40_000);
    const response = await post(llm.as({ subject: { user: 'u' } }).fetch, AT);
    shown.push([...response.headers], await response.text());
  }
  shown.push(await llm.inspect(), await gate.inspect({ user: 'u' }));
  expect(shown.length).toBeGreaterThan(40);
  const text = shown.map((one) => inspect(one, { depth: 20, showHidden: true }) + JSON.stringify(one)).join('\n');
  expect(text).not.toContain('sk-hidden');
  expect(text).toContain("'k1'");
});
