/** Who leaves, and what hangs: nothing is held, and nothing is paid that wasn't sent. */
import { getEventListeners } from 'node:events';
import { runWithAdmission } from '@tollgate/core/context';
import { createUpstream, openai, type SecretSource } from '@tollgate/upstream';
import { bytes, eventStream } from './bodies.js';
import { admission, answered, fakeTransport, gateOf, key, post, provider, type Script } from './support.js';

const AT = 'https://one.test/v1';

function bench(secret: SecretSource, script: Script = answered) {
  const { gate, clock, spent } = gateOf();
  const { fetch, seen } = fakeTransport(script);
  const providers = [provider('one', AT, [{ name: 'k1', secret }, key('k2')])];
  const llm = createUpstream({ gate, fetch, providers, timeout: '1m' });
  return { gate, clock, spent, llm, seen };
}

const never = () => new Promise<string>(() => {});
const soon = () => new Promise((resolve) => setImmediate(resolve));

test('who leaves while a secret is asked for is told at once, and pays nothing', async () => {
  const { gate, llm, seen, spent } = bench(never);
  const leaving = new AbortController();
  const agent = await admission(gate, { estimate: { inputTokens: 20, outputTokens: 20 } });
  const asked = runWithAdmission(agent, () => post(llm.fetch, AT, {}, { signal: leaving.signal }));
  await soon();
  leaving.abort('gone');
  await expect(asked).rejects.toBe('gone');
  await agent.conclude();
  expect([seen.length, await spent('u1')]).toEqual([0, 0]);
  expect((await llm.inspect()).providers[0].keys[0].inFlight).toBe(0);
});

test('who leaves while another secret is asked for takes no key out of service', async () => {
  const source: SecretSource = (options) => (options?.fresh ? never() : 'revoked');
  const { llm, gate, clock, seen, spent } = bench(source, ({ key }) =>
    key === 'revoked' ? { status: 401 } : answered(),
  );
  const out: unknown[] = [];
  llm.on('key.out', (event) => void out.push(event));
  const outcomes: unknown[] = [];
  gate.on('settled', ({ outcome }) => void outcomes.push(outcome));
  const { fetch } = llm.as({ subject: { user: 'u1' } });
  const leaving = new AbortController();
  const asked = post(fetch, AT, {}, { signal: leaving.signal });
  await clock.play(0);
  expect(seen.map(({ key }) => key)).toEqual(['revoked']);
  leaving.abort('gone');
  await expect(asked).rejects.toBe('gone');
  expect([out, outcomes, await spent('u1')]).toEqual([[], ['failed'], 0]);
  expect((await llm.inspect()).providers[0].keys[0]).toMatchObject({ state: 'in service', inFlight: 0 });
});

test.each([true, false])(
  'an answer is dropped as its client leaves, though its usage is known: by its signal %p',
  async (own) => {
    const { gate } = gateOf();
    const events = [{ choices: [], usage: { prompt_tokens: 10, completion_tokens: 5 } }, '[DONE]'];
    let cancelled: unknown;
    const endless = new ReadableStream({
      start: (controller) => controller.enqueue(bytes(eventStream(events))),
      cancel: (reason) => {
        cancelled = reason;
      },
    });
    const fetch = async () => new Response(endless, { headers: { 'content-type': 'text/event-stream' } });
    const llm = createUpstream({ gate, fetch, providers: [openai({ baseUrl: AT, keys: [key('k1'), key('k2')] })] });
    const leaving = new AbortController();
    const agent = await admission(gate, { estimate: { inputTokens: 20, outputTokens: 20 } });
    const init = own ? { signal: leaving.signal } : {};
    const { body } = await runWithAdmission(agent, () => post(llm.fetch, AT, { stream: true }, init));
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    const reading = reader.read();
    await soon();
    if (own) leaving.abort('gone');
    else agent.abort('gone');
    await expect(reading).rejects.toBe('gone');
    expect([cancelled, getEventListeners(leaving.signal, 'abort').length]).toEqual(['gone', 0]);
  },
);

test('a source that hangs fails the key after ten seconds, and is asked again when it serves', async () => {
  let asked = 0;
  const { llm, clock, seen } = bench(() => (asked++ === 0 ? never() : 'well-again'));
  const { fetch } = llm.as({ subject: { user: 'u1' } });
  const first = post(fetch, AT);
  await soon();
  clock.advance(10_000);
  await (await first).text();
  expect(seen.map(({ key }) => key)).toEqual(['secret-of-k2']);
  clock.advance(120_000);
  await (await post(fetch, AT)).text();
  await (await post(fetch, AT)).text();
  expect(seen.map(({ key }) => key)).toContain('well-again');
});

test('nothing is left at the signal of a caller that lives on', async () => {
  const { llm } = bench(
    () => 'secret',
    (_, n) => (n === 0 ? { status: 500 } : answered()),
  );
  const { signal } = new AbortController();
  for (let i = 0; i < 3; i++) await (await post(llm.as({ subject: { user: 'u1' } }).fetch, AT, {}, { signal })).text();
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
});

test('an answer that can’t be passed on, as its body was read by the fetch of the app, is an error, and nothing is held for it', async () => {
  const { gate, spent } = gateOf();
  const fetch = async () => {
    const response = new Response('{}');
    await response.text();
    return response;
  };
  const providers = [provider('one', AT, [key('k1'), key('k2')])];
  const llm = createUpstream({ gate, fetch, providers, concurrency: 1, maxWait: '0s' });
  const { signal } = new AbortController();
  for (let i = 0; i < 3; i++) {
    await expect(post(llm.as({ subject: { user: 'u1' } }).fetch, AT, {}, { signal })).rejects.toThrow('locked');
  }
  expect((await llm.inspect()).providers[0].keys).toMatchObject([{ inFlight: 0 }, { inFlight: 0 }]);
  expect([(await spent('u1')) > 0, getEventListeners(signal, 'abort').length]).toEqual([true, 0]);
});
