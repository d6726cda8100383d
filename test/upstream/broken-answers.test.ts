/** Answers that tell of an error once they have begun well: for key and provider that is the same error as one by status. */
import { createProvider, type Fault, fetchOf, type ProviderOptions, textAnswer } from '@tollgate/fake-provider';
import {
  anthropic,
  createUpstream,
  gemini,
  openai,
  openrouter,
  type Provider,
  type UpstreamEvents,
  type UpstreamOptions,
} from '@tollgate/upstream';
import { gateOf, warnings } from './support.js';

beforeEach(() => void warnings());

type Kind = ProviderOptions['kind'];

const KEYS = [
  { name: 'k1', secret: () => 's1' },
  { name: 'k2', secret: () => 's2' },
];
const MAKE = { openai, anthropic, gemini };
const MODELS = { openai: 'gpt-5-mini', anthropic: 'claude-haiku-4-5', gemini: 'gemini-2.5-flash' };
const URLS = {
  openai: 'https://api.openai.com/v1/chat/completions',
  anthropic: 'https://api.anthropic.com/v1/messages',
  gemini: `https://generativelanguage.googleapis.com/v1beta/models/${MODELS.gemini}:streamGenerateContent?alt=sse`,
};

const textsOf = (kind: Kind) =>
  kind === 'gemini'
    ? { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] }
    : { model: MODELS[kind], stream: true, max_tokens: 20, messages: [{ role: 'user', content: 'Hi' }] };

function bench(provider: Provider, fetch: typeof globalThis.fetch, more: Partial<UpstreamOptions> = {}) {
  const { gate, clock } = gateOf({ budgets: [] });
  const llm = createUpstream({ gate, providers: [provider], fetch, maxWait: '0s', ...more });
  const events: string[] = [];
  for (const name of ['throttled', 'key.out', 'provider.cooling', 'provider.recovered'] as const) {
    llm.on(name, (event: UpstreamEvents[typeof name]) => {
      events.push('why' in event ? `${name}: ${event.why}` : name);
    });
  }
  let asked = 0;
  /** Each is asked for by somebody else. */
  const ask = (kind: Kind, init: RequestInit = {}, url = URLS[kind]) =>
    llm.as({ subject: { user: `u${asked++}` } }).fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(textsOf(kind)),
      ...init,
    });
  return { clock, events, ask };
}

/** A provider that breaks off where there is a fault. */
function fakeOf(kind: Kind) {
  const fake = createProvider({ kind, keys: ['s1', 's2'], answer: () => textAnswer(8) });
  const bound = bench(MAKE[kind]({ keys: KEYS }), fetchOf(fake));
  let fault: Fault | undefined;
  fake.fault = () => fault;
  /** Resolves with what the client was sent, a moment after the last one. */
  const broken = async (status: number) => {
    fault = { afterTokens: 2, status };
    return whole();
  };
  const whole = async () => {
    bound.clock.advance(1);
    const response = await bound.ask(kind);
    fault = undefined;
    return response.text();
  };
  return { ...bound, fake, broken, whole, ask: () => bound.ask(kind) };
}

describe.each([
  ['anthropic', 529, 'overloaded'],
  ['anthropic', 500, 'broken'],
  ['openai', 500, 'broken'],
  ['gemini', 503, 'overloaded'],
  ['gemini', 500, 'broken'],
] as const)('%s, which tells of a %d in its streams', (kind, status, why) => {
  test('cools once it has done so three times in a row; no call is sent again', async () => {
    const { broken, ask, events, fake } = fakeOf(kind);
    for (let i = 0; i < 2; i++) expect(await broken(status)).toContain('error');
    expect(events).toEqual([]);
    await broken(status);
    expect([events, fake.calls.length]).toEqual([[`provider.cooling: ${why}`], 3]);
    expect([(await ask()).headers.has('tollgate-refused'), fake.calls.length]).toEqual([true, 3]);
  });
});

describe('a provider whose streams break off', () => {
  test('is well where one comes to its end in between', async () => {
    const { broken, whole, events } = fakeOf('anthropic');
    for (let i = 0; i < 2; i++) {
      await broken(529);
      await broken(529);
      await whole();
    }
    expect(events).toEqual([]);
  });

  test('has recovered as soon as one comes to its end, and not as it begins', async () => {
    const { broken, ask, events, clock } = fakeOf('anthropic');
    for (let i = 0; i < 3; i++) await broken(529);
    clock.advance(1000);
    const response = await ask();
    expect(events).toEqual(['provider.cooling: overloaded']);
    await response.text();
    expect(events).toEqual(['provider.cooling: overloaded', 'provider.recovered']);
  });

  test('once is gone on with, also by several calls at once, though another stands in', async () => {
    const hosts: string[] = [];
    const leaving = new AbortController();
    const error = { error: { type: 'server_error' } };
    const fetch = async (input: string | URL | Request, { signal }: RequestInit = {}) => {
      if (hosts.push(new URL(String(input)).host) > 1) {
        return new Promise<Response>((_, reject) => {
          signal?.addEventListener('abort', () => reject(signal.reason));
        });
      }
      return new Response(`data: ${JSON.stringify(error)}\n\n`, { headers: { 'content-type': 'text/event-stream' } });
    };
    const providers = [openai({ keys: KEYS }), openrouter({ keys: KEYS })];
    const { ask } = bench(providers[0], fetch, { providers, failover: { openai: [{ provider: 'openrouter' }] } });
    await (await ask('openai')).text();
    const asked: Promise<Response>[] = [];
    while (asked.length < 2) {
      asked.push(ask('openai', { signal: leaving.signal }));
      while (hosts.length <= asked.length) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(new Set(hosts)).toEqual(new Set(['api.openai.com']));
    leaving.abort('enough');
    for (const one of asked) await expect(one).rejects.toBe('enough');
  });

  test('goes on cooling though one ends that was sent before', async () => {
    const { broken, ask, events } = fakeOf('anthropic');
    const before = await ask();
    for (let i = 0; i < 3; i++) await broken(529);
    await before.text();
    expect(events).toEqual(['provider.cooling: overloaded']);
  });

  test('all at once has failed once', async () => {
    const { fake, ask, events } = fakeOf('anthropic');
    fake.fault = () => ({ afterTokens: 2, status: 529 });
    const responses = await Promise.all([ask(), ask(), ask(), ask()]);
    await Promise.all(responses.map((response) => response.text()));
    expect(events).toEqual([]);
  });
});

test.each(['anthropic', 'openai', 'gemini'] as const)(
  'a key of %s that is throttled in a stream rests',
  async (kind) => {
    const { broken, whole, events, fake } = fakeOf(kind);
    await broken(429);
    await whole();
    await whole();
    const [first, ...others] = fake.calls.map(({ key }) => key);
    expect(events).toEqual(['throttled']);
    expect(others).not.toContain(first);
  },
);

describe('as providers word it:', () => {
  const streamed =
    (...data: readonly unknown[]) =>
    async () =>
      new Response(data.map((one) => `data: ${JSON.stringify(one)}\n\n`).join(''), {
        headers: { 'content-type': 'text/event-stream' },
      });
  const routed = { id: 'gen-1', choices: [{ index: 0, delta: { content: '' }, finish_reason: 'error' }] };

  test.each([
    ['OpenRouter, a limit', openrouter, { ...routed, error: { code: 429, message: 'Rate limited' } }, ['throttled']],
    [
      'OpenRouter, no credit',
      openrouter,
      { ...routed, error: { code: 402, message: 'Add credits' } },
      ['key.out: exhausted'],
    ],
    [
      'OpenAI, a spend limit',
      openai,
      { error: { type: 'insufficient_quota', code: 'insufficient_quota' } },
      ['key.out: exhausted'],
    ],
    ['OpenAI, a mistake of the caller', openai, { error: { type: 'invalid_request_error', code: null } }, []],
    ['Gemini, in a list', gemini, [{ error: { code: 429, status: 'RESOURCE_EXHAUSTED', message: '' } }], ['throttled']],
  ] as const)('%s', async (_what, make, said, expected) => {
    const kind = make === gemini ? 'gemini' : 'openai';
    const provider = make({ keys: KEYS, baseUrl: new URL(URLS[kind]).origin + (kind === 'openai' ? '/v1' : '') });
    const { ask, events } = bench(provider, streamed(said));
    await (await ask(kind)).text();
    expect(events).toEqual(expected);
  });

  const whole = (said: unknown) =>
    new Response(JSON.stringify(said), { headers: { 'content-type': 'application/json' } });

  test.each([
    ['OpenRouter, a limit', openrouter, { error: { code: 429, message: 'Rate limited' } }, ['throttled']],
    ['OpenRouter, no credit', openrouter, { id: 'gen-1', error: { code: 402, message: '' } }, ['key.out: exhausted']],
    ['OpenAI, no error', openai, { id: 'resp_1', error: null, usage: { input_tokens: 1, output_tokens: 1 } }, []],
    ['OpenAI, a mistake of the caller', openai, { error: { type: 'invalid_request_error', code: null } }, []],
  ] as const)('%s, in a 200 that is no stream', async (_what, make, said, expected) => {
    const provider = make({ keys: KEYS, baseUrl: 'https://api.openai.com/v1' });
    const { ask, events } = bench(provider, async () => whole(said));
    const body = JSON.stringify({ ...textsOf('openai'), stream: false });
    expect(await (await ask('openai', { body })).json()).toEqual(said);
    expect(events).toEqual(expected);
  });

  test('a provider that fails in each 200 cools, and not where one is well in between', async () => {
    const fault = { error: { code: 502, message: 'Provider returned error' } };
    const answers: unknown[] = [fault, fault, { id: 'gen-1', choices: [] }, fault, fault, fault];
    const { ask, events, clock } = bench(openrouter({ keys: KEYS }), async () => whole(answers.shift()));
    const body = JSON.stringify({ ...textsOf('openai'), stream: false });
    const url = 'https://openrouter.ai/api/v1/chat/completions';
    while (answers.length > 0) {
      expect(events).toEqual([]);
      clock.advance(1);
      await (await ask('openai', { body }, url)).text();
    }
    expect(events).toEqual(['provider.cooling: broken']);
  });

  test('what a client aborts with is no word of the provider', async () => {
    const leaving = new AbortController();
    const fetch = async () =>
      new Response(new ReadableStream({}), { headers: { 'content-type': 'text/event-stream' } });
    const { ask, events } = bench(openai({ keys: KEYS }), fetch);
    const response = await ask('openai', { signal: leaving.signal });
    const text = response.text();
    leaving.abort({ code: 429 });
    await expect(text).rejects.toEqual({ code: 429 });
    expect(events).toEqual([]);
  });
});
