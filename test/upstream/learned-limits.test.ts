/** Limits that answers tell: for how long they are believed, and how far. */
import { createUpstream, type Provider } from '@tollgate/upstream';
import { answered, fakeTransport, gateOf, key, post, provider, type Script, warnings } from './support.js';

beforeEach(() => void warnings());

const AT = 'http://one.test/v1';

function bench(of: Partial<Provider>, script: Script = answered) {
  const { fetch, seen } = fakeTransport(script);
  const { gate, clock } = gateOf({ budgets: [] });
  const llm = createUpstream({ gate, providers: [provider('one', AT, [key('k1')], of)], fetch, maxWait: '0s' });
  let users = 0;
  const ask = async (model = 'small-1') => {
    const response = await post(llm.as({ subject: { user: `u${users++}` } }).fetch, AT, { model });
    await response.text();
    return response.status;
  };
  const families = async () => (await llm.inspect()).providers[0].keys[0].families;
  return { ask, seen, clock, families };
}

/** Tells the first answer alone. */
function once(told: ReturnType<Provider['readings']>): Provider['readings'] {
  let left = 1;
  return () => (left-- > 0 ? told : []);
}

test('a limit that would never let a call pass is asked of the provider, and locks no key out', async () => {
  for (const limit of [10, 0]) {
    const { ask, seen } = bench({ readings: () => [{ unit: 'tokens', window: 'minute', limit }] });
    expect([await ask(), await ask(), await ask(), seen.length]).toEqual([200, 200, 200, 3]);
  }
});

test('one that is configured is never doubted', async () => {
  const { ask, seen } = bench({ limits: { default: { minute: { tokens: 10 } } } });
  expect([await ask(), seen.length]).toEqual([422, 0]);
});

test('what was told is forgotten after ten minutes, unless it is told again', async () => {
  const told = [{ unit: 'requests', window: 'minute', limit: 1 }] as const;
  const { ask, clock } = bench({ readings: once(told) });
  await ask();
  expect(await ask()).toBe(429);
  clock.advance(599_999);
  expect(await ask()).toBe(200);
  expect(await ask()).toBe(429);
  clock.advance(1);
  for (let i = 0; i < 5; i++) expect(await ask()).toBe(200);
});

test('names that nobody serves push out none of what is known', async () => {
  const isJunk = (model: string) => model.startsWith('junk');
  const readings = once([{ unit: 'requests', window: 'minute', limit: 1000 }]);
  const { ask, families } = bench({ readings }, ({ model }) => (isJunk(model) ? { status: 404 } : answered()));
  await ask();
  for (let i = 0; i < 50; i++) expect(await ask(`junk-${i}`)).toBe(404);
  expect((await families()).map(({ family }) => family)).toEqual(['small-1']);
});

test('names that are too long for one are not kept, though they are served', async () => {
  const { ask, families } = bench({});
  expect([await ask('m'.repeat(257)), await ask()]).toEqual([200, 200]);
  expect((await families()).map(({ family }) => family)).toEqual(['small-1']);
});

test('two in a hundred of a limit are left alone, as calls overtake each other on their way', async () => {
  const { ask, seen } = bench({ limits: { default: { minute: { requests: 100 } } } });
  const statuses = await Promise.all(Array.from({ length: 101 }, () => ask()));
  expect(statuses.filter((status) => status === 200)).toHaveLength(seen.length);
  const told = bench({ readings: () => [{ unit: 'requests', window: 'minute', limit: 100, remaining: 3 }] });
  await told.ask();
  expect([await told.ask(), await told.ask()]).toEqual([200, 429]);
});
