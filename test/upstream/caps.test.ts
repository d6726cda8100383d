/** A key's daily budget: a leak is capped, and others go on. */
import { createUpstream } from '@tollgate/upstream';
import { fakeTransport, gateOf, key, post, provider, warnings } from './support.js';

beforeEach(() => void warnings());

const AT = 'http://one.test/v1';
const PRICES = { default: { input: '$1000/M', output: '$10000/M' } } as const;

test('no more is spent with a key a day than it may, and no key beyond that is used until the next day', async () => {
  const { fetch, seen } = fakeTransport();
  const { gate, clock } = gateOf({ budgets: [] });
  // A call costs $0.06, and may cost $0.23 when it is sent.
  const keys = [key('k1', { dailyBudget: '$0.3' }), key('k2', { dailyBudget: '$0.3' })];
  const llm = createUpstream({ gate, providers: [provider('one', AT, keys)], fetch, prices: PRICES });
  const ask = async () => {
    const response = await post(llm.as({ subject: { user: 'u' } }).fetch, AT);
    await response.text();
    return response;
  };
  while ((await ask()).status === 200) if (seen.length > 20) break;
  const sentWith = (name: string) => seen.filter(({ key }) => key === `secret-of-${name}`).length;
  expect([sentWith('k1'), sentWith('k2')]).toEqual([2, 2]);
  const { providers } = await llm.inspect();
  expect(providers[0].keys.map(({ budget }) => budget?.used)).toEqual([12e7, 12e7]);

  const refused = await ask();
  expect([refused.status, refused.headers.get('x-should-retry')]).toEqual([402, 'false']);
  clock.advance(86_400_000);
  expect((await ask()).status).toBe(200);
});

test('a key without a daily budget spends without bounds beside one that has one', async () => {
  const { fetch } = fakeTransport();
  const { gate } = gateOf({ budgets: [] });
  const keys = [key('k1', { dailyBudget: '$0.01' }), key('k2')];
  const llm = createUpstream({ gate, providers: [provider('one', AT, keys)], fetch, prices: PRICES });
  for (let i = 0; i < 5; i++) {
    const response = await post(llm.as({ subject: { user: 'u' } }).fetch, AT);
    expect(response.status).toBe(200);
    await response.text();
  }
});

test('a model without a price is served by keys that have no daily budget, and by no other', async () => {
  const { fetch, seen } = fakeTransport();
  const { gate } = gateOf({ budgets: [] });
  const prices = { 'another-1': { input: '$1/M', output: '$1/M' } } as const;
  const askBy = async (...keys: ReturnType<typeof key>[]) => {
    const llm = createUpstream({ gate, providers: [provider('one', AT, keys)], fetch, prices });
    const response = await post(llm.as({ subject: { user: 'u' } }).fetch, AT);
    return [response.status, await response.text()];
  };
  for (let i = 0; i < 2; i++) expect((await askBy(key('k1', { dailyBudget: '$1' }), key('k2')))[0]).toBe(200);
  expect(seen.map(({ key }) => key)).toEqual(['secret-of-k2', 'secret-of-k2']);
  const refused = await askBy(key('k1', { dailyBudget: '$1' }));
  expect(refused).toEqual([400, expect.stringContaining('TOLLGATE_UNKNOWN_MODEL')]);
});
