/** Keys and providers that fail again and again: who rests, who is out, who is told, and how they come back. */
import {
  createUpstream,
  type KeyOptions,
  type Provider,
  type UpstreamEvents,
  type UpstreamOptions,
} from '@tollgate/upstream';
import { answered, fakeTransport, gateOf, key, post, provider, type Script, type Told, warnings } from './support.js';

const AT = 'http://one.test/v1';
const OTHER = 'http://two.test/v1';

interface Bench extends Partial<UpstreamOptions> {
  keys?: readonly KeyOptions[];
  of?: Partial<Provider>;
}

function bench(script: Script, { keys = [key('k1')], of = {}, ...options }: Bench = {}) {
  const warned = warnings();
  const { fetch, seen } = fakeTransport(script);
  const { gate, clock } = gateOf({ budgets: [] });
  const providers = [provider('one', AT, keys, of), provider('two', OTHER, [key('other')])];
  const llm = createUpstream({ gate, providers, fetch, maxWait: '0s', ...options });
  const events: string[] = [];
  const told: Partial<UpstreamEvents> = {};
  for (const name of [
    'throttled',
    'escalated',
    'key.out',
    'key.back',
    'provider.cooling',
    'provider.recovered',
  ] as const) {
    llm.on(name, (event) => {
      events.push(name);
      Object.assign(told, { [name]: event });
    });
  }
  let asked = 0;
  /** Each is asked for by somebody else. */
  const ask = async (body: object = {}, user = `u${asked++}`, init: RequestInit = {}) =>
    (await post(llm.as({ subject: { user } }).fetch, AT, body, init)).status;
  return {
    llm,
    seen,
    clock,
    ask,
    events,
    told,
    warned,
    keysSeen: () => seen.map(({ key }) => key.replace('secret-of-', '')),
  };
}

/** Answers in this order, and then well. */
const inTurn =
  (...answers: Told[]): Script =>
  (_, n) =>
    answers[n] ?? answered();

const THROTTLED = { status: 429 };

describe('a key that is throttled', () => {
  test('rests for a second where nobody says for how long, then for two; a success ends that', async () => {
    const { ask, clock, seen } = bench(inTurn(THROTTLED, THROTTLED, answered(), THROTTLED));
    await ask();
    clock.advance(999);
    expect([await ask(), seen.length]).toEqual([429, 1]);
    clock.advance(1);
    expect([await ask(), seen.length]).toEqual([429, 2]);
    clock.advance(1999);
    expect([await ask(), seen.length]).toEqual([429, 2]);
    clock.advance(1);
    expect(await ask()).toBe(200);
    await ask();
    clock.advance(1000);
    expect(await ask()).toBe(200);
  });

  test('three times in a row is told of, and rests long enough for others to go on', async () => {
    const { ask, clock, seen, told, warned, events } = bench(inTurn(THROTTLED, THROTTLED, THROTTLED));
    for (const ms of [1000, 2000, 0]) {
      await ask();
      clock.advance(ms);
    }
    expect(events).toEqual(['throttled', 'throttled', 'throttled', 'escalated']);
    expect(told.escalated).toEqual({ provider: 'one', key: 'k1', model: 'small-1', restsMs: 10_000, inARow: 3 });
    expect(warned).toContainEqual({ code: 'TOLLGATE_KEY_THROTTLED', message: expect.stringContaining("'k1'") });
    clock.advance(9999);
    await ask();
    expect(seen).toHaveLength(3);
    clock.advance(1);
    expect(await ask()).toBe(200);
  });

  test('by calls that were under way together is throttled once', async () => {
    const { ask, events, told } = bench((_, n) => (n < 5 ? THROTTLED : answered()));
    await Promise.all([1, 2, 3, 4, 5].map(() => ask()));
    expect(events).toHaveLength(5);
    expect(told.throttled).toMatchObject({ inARow: 1 });
  });

  test('is not opened by others that were under way and say nothing, or that it is well at once', async () => {
    const TOLD = { status: 429, headers: { 'retry-after': '30' } };
    const AT_ONCE = { status: 429, headers: { 'retry-after': '0' } };
    const { ask, clock, seen } = bench(inTurn(TOLD, AT_ONCE, THROTTLED));
    expect(await Promise.all([ask(), ask(), ask()])).toEqual([429, 429, 429]);
    clock.advance(29_999);
    expect([await ask(), seen.length]).toEqual([429, 3]);
    clock.advance(1);
    expect(await ask()).toBe(200);
  });

  test('and is told to come back at once rests as if nothing had been told', async () => {
    const { ask, clock, seen } = bench(inTurn({ status: 429, headers: { 'retry-after': '0' } }));
    await ask();
    clock.advance(999);
    expect([await ask(), seen.length]).toEqual([429, 1]);
    clock.advance(1);
    expect(await ask()).toBe(200);
  });

  test('for a day, as is said, is tried again after five minutes', async () => {
    const { ask, clock, seen } = bench(inTurn({ status: 429, headers: { 'retry-after': '86400' } }));
    await ask();
    clock.advance(299_999);
    expect([await ask(), seen.length]).toEqual([429, 1]);
    clock.advance(1);
    expect(await ask()).toBe(200);
  });

  test('for one family of models serves the others, unless the provider says that it is the key', async () => {
    const { ask } = bench(inTurn(THROTTLED));
    await ask();
    expect([await ask({ model: 'large-1' }), await ask()]).toEqual([200, 429]);
    const failure: Provider['failure'] = ({ status }) =>
      status === 429 ? { kind: 'throttled', ofKey: true } : undefined;
    const whole = bench(inTurn(THROTTLED), { of: { failure } });
    await whole.ask();
    expect(await whole.ask({ model: 'large-1' })).toBe(429);
  });
});

describe('a key that is refused', () => {
  const KEYS = [key('k1'), key('k2')];

  test('is out of service, told of, and tried again a minute later, then two', async () => {
    const { ask, clock, keysSeen, told, warned } = bench(
      ({ key }) => (key === 'secret-of-k1' ? { status: 401 } : answered()),
      { keys: KEYS },
    );
    for (let i = 0; i < 4; i++) expect(await ask()).toBe(200);
    expect(keysSeen().filter((name) => name === 'k1')).toHaveLength(1);
    expect(told['key.out']).toEqual({ provider: 'one', key: 'k1', why: 'unauthorized', until: clock.now() + 60_000 });
    expect(warned.filter(({ code }) => code === 'TOLLGATE_KEY_REFUSED')).toHaveLength(1);
    clock.advance(60_000);
    for (let i = 0; i < 4; i++) await ask();
    expect(keysSeen().filter((name) => name === 'k1')).toHaveLength(2);
    expect(told['key.out']).toMatchObject({ until: clock.now() + 120_000 });
  });

  test('is back once it serves, and that is told', async () => {
    const { ask, clock, events } = bench(inTurn({ status: 402 }));
    await ask();
    expect([await ask(), events]).toEqual([503, ['key.out']]);
    clock.advance(60_000);
    expect([await ask(), events]).toEqual([200, ['key.out', 'key.back']]);
  });

  test.each([401, 402])(
    'is not back where it is refused again, though that may not be its fault: %d',
    async (status) => {
      const { llm, ask, clock, told, events } = bench(() => ({ status }));
      await ask();
      clock.advance(60_000);
      expect((await llm.fetch(`${AT}/models`)).status).toBe(status);
      await ask();
      expect(events).toEqual(['key.out', 'key.out']);
      expect(told['key.out']).toMatchObject({ until: clock.now() + 120_000 });
    },
  );

  test('has its source asked for a fresh secret, once, and goes on with that in the same call', async () => {
    let current = 'old';
    const asked: (boolean | undefined)[] = [];
    const secret = ({ fresh }: { fresh?: boolean } = {}) => {
      asked.push(fresh);
      return current;
    };
    const { ask, keysSeen, events } = bench(({ key }) => (key === 'new' ? answered() : { status: 401 }), {
      keys: [{ name: 'k1', secret }],
    });
    current = 'new';
    asked.length = 0;
    expect(await ask()).toBe(200);
    expect(keysSeen()).toEqual(['new']);
    current = 'newer';
    expect([await ask(), keysSeen()]).toEqual([200, ['new', 'new']]);
    expect(events).toEqual([]);
  });

  test('is asked for anew as well where the key may not be to blame, once in ten seconds at most', async () => {
    let current = 'old';
    let freshly = 0;
    const secret = ({ fresh }: { fresh?: boolean } = {}) => {
      if (fresh) freshly++;
      return current;
    };
    const { llm, ask, events } = bench(({ key }) => (key === current ? answered() : { status: 401 }), {
      keys: [{ name: 'k1', secret }],
    });
    const { fetch } = llm.as({ subject: { user: 'u' } });
    const asking = [
      async () => (await llm.fetch(`${AT}/models`)).status,
      async () => (await fetch(`${AT}/images`, { method: 'POST', body: '{}' })).status,
      () => ask({}, 'u', { headers: { 'openai-organization': 'org-1' } }),
    ];
    expect(await ask()).toBe(200);
    for (const one of asking) {
      current += '-newer';
      expect(await one()).toBe(200);
    }
    const refusing = bench(() => ({ status: 401 }), { keys: [{ name: 'k1', secret }] });
    const statuses = [];
    freshly = 0;
    for (let i = 0; i < 20; i++) {
      statuses.push((await refusing.llm.fetch(`${AT}/models`)).status);
      refusing.clock.advance(1000);
    }
    expect([new Set(statuses), freshly]).toEqual([new Set([401]), 2]);
    expect([events, refusing.events]).toEqual([[], []]);
  });

  test('leaves none where it was the only one: clients are told so, not which it was, and when to come back', async () => {
    const { llm, ask } = bench(() => ({ status: 401 }));
    await ask();
    const response = await post(llm.as({ subject: { user: 'u' } }).fetch, AT);
    expect([response.status, response.headers.get('tollgate-refused')]).toEqual([503, 'no-key']);
    expect(await response.text()).toContain('No key is in service for this call.');
    expect(response.headers.get('retry-after')).toBe('60');
  });

  test('or whose source fails, is passed over without a word of what the source said', async () => {
    const failing = { name: 'k1', secret: () => Promise.reject(new Error('vault says: hunter2')) };
    const { ask, keysSeen, told } = bench(answered, { keys: [failing, key('k2')] });
    expect([await ask(), await ask(), keysSeen()]).toEqual([200, 200, ['k2', 'k2']]);
    expect(told['key.out']).toMatchObject({ key: 'k1', why: 'no secret' });
    const alone = bench(answered, { keys: [failing] });
    const response = await post(alone.llm.as({ subject: { user: 'u' } }).fetch, AT);
    expect([response.status, await response.text()]).toEqual([503, expect.not.stringContaining('hunter2')]);
  });
});

describe('a provider that fails', () => {
  const BROKEN = { status: 500 };

  test('once or twice is asked again at once; the third time in a row it cools, for a second, then for two', async () => {
    const { ask, clock, seen, told } = bench(inTurn(BROKEN, BROKEN, BROKEN, BROKEN));
    for (let i = 0; i < 3; i++) {
      expect(await ask()).toBe(500);
      clock.advance(1500);
    }
    clock.advance(-1500);
    expect(told['provider.cooling']).toEqual({ provider: 'one', why: 'broken', until: clock.now() + 1000 });
    expect([await ask(), seen.length]).toEqual([503, 3]);
    clock.advance(1000);
    expect([await ask(), seen.length]).toEqual([500, 4]);
    expect(told['provider.cooling']).toMatchObject({ until: clock.now() + 2000 });
  });

  test('and answers again has recovered, and that is told', async () => {
    const { ask, clock, events } = bench(inTurn(BROKEN, BROKEN, BROKEN));
    for (let i = 0; i < 3; i++) {
      await ask();
      clock.advance(1);
    }
    clock.advance(60_000);
    expect(await ask()).toBe(200);
    expect(events).toEqual(['provider.cooling', 'provider.recovered']);
  });

  test('and says for how long cools for that long at once', async () => {
    const { ask, clock, seen } = bench(inTurn({ status: 503, headers: { 'retry-after': '5' } }));
    await ask();
    clock.advance(4999);
    await ask();
    expect(seen).toHaveLength(1);
    clock.advance(1);
    expect(await ask()).toBe(200);
  });

  test('and says that it will for a day is tried again after five minutes', async () => {
    const { ask, clock, seen } = bench(inTurn({ status: 503, headers: { 'retry-after': '86400' } }));
    await ask();
    clock.advance(299_999);
    expect([await ask(), seen.length]).toEqual([503, 1]);
    clock.advance(1);
    expect(await ask()).toBe(200);
  });

  test('cools whether the calls that it has at once are fixed or not', async () => {
    const { ask, clock, seen } = bench(inTurn({ status: 503, headers: { 'retry-after': '60' } }), { concurrency: 50 });
    await ask();
    expect([await ask(), await ask(), seen.length]).toEqual([503, 503, 1]);
    clock.advance(60_000);
    expect(await ask()).toBe(200);
  });

  test('and cools is passed over at once where another stands in; one call at a time finds out whether it is well', async () => {
    const answer: ((told: Told) => void)[] = [];
    let isSlow = false;
    const script: Script = ({ key }) => {
      if (key === 'secret-of-other') return answered();
      return isSlow ? new Promise((resolve) => answer.push(resolve)) : BROKEN;
    };
    const { ask, clock, keysSeen } = bench(script, { failover: { one: [{ provider: 'two' }] } });
    for (let i = 0; i < 5; i++) {
      expect(await ask()).toBe(200);
      clock.advance(1);
    }
    expect(keysSeen().filter((name) => name === 'k1')).toHaveLength(3);
    clock.advance(1000);
    isSlow = true;
    const probe = ask();
    await clock.play(0);
    expect([await ask(), await ask()]).toEqual([200, 200]);
    expect(answer).toHaveLength(1);
    answer[0](answered());
    expect(await probe).toBe(200);
    isSlow = false;
  });

  test('to answer in time is passed over', async () => {
    const { ask, clock, keysSeen } = bench(({ key }) => (key === 'secret-of-other' ? answered() : 'hang'), {
      failover: { one: [{ provider: 'two' }] },
      timeout: '5s',
    });
    const asked = ask();
    await clock.play(5000);
    expect([await asked, keysSeen()]).toEqual([200, ['k1', 'other']]);
  });

  test('to answer in time where nobody stands in is told as a gateway does', async () => {
    const { ask, clock } = bench(() => 'hang', { timeout: '5s' });
    const asked = ask();
    await clock.play(5000);
    expect(await asked).toBe(504);
  });
});
