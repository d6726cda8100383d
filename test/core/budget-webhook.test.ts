import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { inspect } from 'node:util';
import type { Clock } from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import { createWebhook } from '../../packages/core/src/money/webhook.js';
import { closeServers, listen, portOf } from '../helpers/http-server.js';
import { thrownBy } from './support.js';

const SECOND = 1000;
const TIMEOUT = 10 * SECOND;
const SECRET = 'T0P-S3CR3T';

afterEach(async () => {
  jest.restoreAllMocks();
  await closeServers();
});

/** What has come and nobody has asked for yet, and who asked before it came. */
function inbox<T>() {
  const come: T[] = [];
  const asked: ((thing: T) => void)[] = [];
  return {
    come,
    push(thing: T): void {
      const taker = asked.shift();
      if (taker) taker(thing);
      else come.push(thing);
    },
    next: () => new Promise<T>((resolve) => (come.length > 0 ? resolve(come.shift() as T) : asked.push(resolve))),
  };
}

interface Posted {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly at: number;
}

type Answer = number | [status: number, headers: Record<string, string>] | 'hang up' | 'never';

function answer(res: ServerResponse, how: Answer): void {
  if (how === 'never') return;
  if (how === 'hang up') res.destroy();
  else if (typeof how === 'number') res.writeHead(how).end('ok');
  else res.writeHead(...how).end();
}

/** A receiver that answers so, one after another, and 200 from then on; a webhook to it; and what can be seen of both. */
async function receiver(answers: readonly Answer[] = [], more: { fetch?: typeof fetch } = {}) {
  const manual = manualClock(0);
  const posted = inbox<Posted>();
  /** Of requests that the webhook didn't wait for. */
  const hungUp = inbox<true>();
  const pauses = inbox<number>();
  const tries = inbox<number>();
  const warned = inbox<{ code: string; message: string }>();
  jest.spyOn(process, 'emitWarning').mockImplementation(((message: string, { code }: { code: string }) => {
    warned.push({ code, message });
  }) as typeof process.emitWarning);

  const open = new Set<() => void>();
  const clock: Clock = {
    now: manual.now,
    after(ms, task) {
      const cancel = manual.after(ms, () => {
        open.delete(cancel);
        task();
      });
      open.add(cancel);
      (ms === TIMEOUT ? tries : pauses).push(ms);
      return () => {
        open.delete(cancel);
        cancel();
      };
    },
  };

  const left = [...answers];
  const listener: RequestListener = async (req, res) => {
    let body = '';
    for await (const part of req) body += part;
    res.on('close', () => res.writableFinished || hungUp.push(true));
    answer(res, left.shift() ?? 200);
    posted.push({ method: req.method, url: req.url, headers: req.headers, body, at: manual.now() });
  };
  const host = `127.0.0.1:${portOf(await listen(listener))}`;
  const webhook = createWebhook({ url: `http://${host}/services/${SECRET}?key=${SECRET}`, clock, ...more });
  /** Lets the next pause pass. Resolves to how long it was. */
  async function pass(): Promise<number> {
    const ms = await pauses.next();
    manual.advance(ms);
    return ms;
  }
  const nextText = async (): Promise<string> => JSON.parse((await posted.next()).body).text;
  return {
    webhook,
    host,
    posted,
    nextText,
    hungUp,
    pauses,
    tries,
    warned,
    pass,
    timers: open,
    advance: manual.advance,
  };
}

/** A fetch that answers when it is told to, by one call of a gate for each. */
function held() {
  const calls: string[] = [];
  const gates: (() => void)[] = [];
  const fetch = ((_: unknown, { body }: { body: string }) => {
    calls.push(JSON.parse(body).text);
    return new Promise<Response>((resolve) => gates.push(() => resolve(new Response('ok'))));
  }) as typeof globalThis.fetch;
  return { fetch, calls, gates };
}

/** When everything that is ready to run has run. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('a message', () => {
  test('is posted as JSON to the URL, once', async () => {
    const { webhook, posted, timers, warned } = await receiver();
    expect(webhook.send('80% is "spent" – höre!')).toBeUndefined();
    const { method, url, headers, body } = await posted.next();
    expect([method, url]).toEqual(['POST', `/services/${SECRET}?key=${SECRET}`]);
    expect(headers['content-type']).toBe('application/json');
    expect(body).toBe('{"text":"80% is \\"spent\\" – höre!"}');
    webhook.send('next');
    expect(JSON.parse((await posted.next()).body)).toEqual({ text: 'next' });
    await settled();
    expect(posted.come).toEqual([]);
    expect(warned.come).toEqual([]);
    webhook.close();
    expect(timers.size).toBe(0);
  });

  test('arrives in the order sent, one at a time, though one is tried again', async () => {
    const { webhook, nextText, pass } = await receiver([200, 500, 503]);
    for (const text of ['one', 'two', 'three']) webhook.send(text);
    expect([await nextText(), await nextText()]).toEqual(['one', 'two']);
    await pass();
    expect(await nextText()).toBe('two');
    await pass();
    expect([await nextText(), await nextText()]).toEqual(['two', 'three']);
  });

  test.each([
    ['<!channel> & <https://evil.example|log in>', '&lt;!channel&gt; &amp; &lt;https://evil.example|log in&gt;'],
    ['&lt;!here&gt;', '&amp;lt;!here&amp;gt;'],
    ['[log in](https://evil.example)', '[log in]\u200B(https://evil.example)'],
    ['@channel @Here @all @everyone', '@\u200Bchannel @\u200BHere @\u200Ball @\u200Beveryone'],
    ["user 'u1@example.com' (a)", "user 'u1@example.com' (a)"],
  ])('makes no link and mentions nobody: %s', async (text, expected) => {
    const { webhook, nextText } = await receiver();
    webhook.send(text);
    expect(await nextText()).toBe(expected);
  });

  test("'s answer is not read, however long it is", async () => {
    const cancelled = inbox<boolean>();
    const endless = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(1024)),
      cancel: () => cancelled.push(true),
    });
    const { webhook } = await receiver([], { fetch: async () => new Response(endless) });
    webhook.send('a');
    expect(await cancelled.next()).toBe(true);
  });
});

describe('what fails for the time being', () => {
  test.each<[string, Answer]>([
    ['500', 500],
    ['503', 503],
    ['429', 429],
    ['a connection that ends', 'hang up'],
  ])('by %s, is tried again after 1, 4 and 16 seconds', async (_, how) => {
    const { webhook, posted, pass, warned } = await receiver([how, how, how]);
    webhook.send('a');
    const at = [(await posted.next()).at];
    for (const ms of [1, 4, 16]) {
      expect(await pass()).toBe(ms * SECOND);
      at.push((await posted.next()).at);
    }
    expect(at).toEqual([0, 1 * SECOND, 5 * SECOND, 21 * SECOND]);
    webhook.send('b');
    expect(JSON.parse((await posted.next()).body).text).toBe('b');
    expect(warned.come).toEqual([]);
  });

  test('is given up after four tries, with a warning, and the next goes its way', async () => {
    const { webhook, host, nextText, pass, warned } = await receiver([500, 500, 500, 502]);
    webhook.send('a');
    webhook.send('b');
    for (let i = 0; i < 3; i++) await pass();
    expect(await warned.next()).toEqual({
      code: 'TOLLGATE_WEBHOOK_FAILED',
      message: `An alert could not be posted to the webhook at ${host}: it answered 502`,
    });
    expect([await nextText(), await nextText(), await nextText(), await nextText(), await nextText()]).toEqual([
      ...Array(4).fill('a'),
      'b',
    ]);
    expect(warned.come).toEqual([]);
  });

  test('because nobody listens there, too', async () => {
    const { webhook, host, pass, warned } = await receiver();
    await closeServers();
    webhook.send('a');
    expect([await pass(), await pass(), await pass()]).toEqual([1, 4, 16].map((s) => s * SECOND));
    expect((await warned.next()).message).toBe(
      `An alert could not be posted to the webhook at ${host}: it was not reached`,
    );
  });

  test('because no answer comes, is cut off after 10 seconds each time', async () => {
    const { webhook, posted, pauses, tries, pass, advance, warned } = await receiver(Array(4).fill('never'));
    webhook.send('a');
    for (let i = 0; i < 4; i++) {
      await tries.next();
      await posted.next();
      advance(TIMEOUT - 1);
      await settled();
      expect(pauses.come).toEqual([]);
      advance(1);
      if (i < 3) await pass();
    }
    expect((await warned.next()).message).toMatch(/: no answer within 10 seconds$/);
  });

  test.each<[string, number]>([
    ['30', 30],
    ['61', 60],
    ['1e9', 60],
    ['0', 1],
    ['-5', 1],
    ['soon', 1],
    ['Thu, 01 Jan 1970 00:00:30 GMT', 1],
  ])('by 429 with Retry-After: %s, rests %d seconds', async (retryAfter, seconds) => {
    const { webhook, pass } = await receiver([[429, { 'retry-after': retryAfter }]]);
    webhook.send('a');
    expect(await pass()).toBe(seconds * SECOND);
  });

  test('rests no shorter than without Retry-After', async () => {
    const { webhook, pass } = await receiver([500, [429, { 'retry-after': '2' }]]);
    webhook.send('a');
    expect([await pass(), await pass()]).toEqual([1 * SECOND, 4 * SECOND]);
  });
});

describe('what fails for good', () => {
  test.each([400, 403, 404, 410])('by %d, is not tried again', async (status) => {
    const { webhook, host, posted, pauses, warned } = await receiver([status]);
    webhook.send('a');
    expect(await warned.next()).toEqual({
      code: 'TOLLGATE_WEBHOOK_FAILED',
      message: `An alert could not be posted to the webhook at ${host}: it answered ${status}`,
    });
    expect([posted.come.length, pauses.come.length]).toEqual([1, 0]);
  });

  test.each([301, 302, 307, 308])('by a redirect with %d, goes nowhere else', async (status) => {
    const elsewhere = jest.fn((_: IncomingMessage, res: ServerResponse) => res.end());
    const location = `http://127.0.0.1:${portOf(await listen(elsewhere))}/`;
    const { webhook, nextText, warned } = await receiver([[status, { location }]]);
    webhook.send('a');
    expect((await warned.next()).message).toMatch(new RegExp(`: it answered ${status}$`));
    webhook.send('b');
    expect([await nextText(), await nextText()]).toEqual(['a', 'b']);
    expect(elsewhere).not.toHaveBeenCalled();
  });
});

describe('where messages come faster than they go', () => {
  const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => String(from + i));

  test('100 wait, and beyond that the oldest are dropped, with one warning', async () => {
    const { fetch, calls, gates } = held();
    const { webhook, host, warned } = await receiver([], { fetch });
    for (const text of numbers(0, 100)) webhook.send(text);
    expect(warned.come).toEqual([]);
    for (const text of numbers(101, 150)) webhook.send(text);
    expect(warned.come).toEqual([
      { code: 'TOLLGATE_WEBHOOK_FULL', message: expect.stringContaining(`100 alerts wait for the webhook at ${host}`) },
    ]);
    for (let i = 0; i < 101; i++) {
      gates[i]();
      await settled();
    }
    expect(calls).toEqual(['0', ...numbers(51, 150)]);
  });

  test('once all are through, the next time is told of again', async () => {
    const { fetch, gates } = held();
    const { webhook, warned } = await receiver([], { fetch });
    for (let round = 1; round <= 2; round++) {
      for (const text of numbers(0, 110)) webhook.send(text);
      expect(warned.come).toHaveLength(round);
      for (let i = 0; i < 101; i++) {
        gates.shift()?.();
        await settled();
      }
    }
  });
});

describe('closing', () => {
  test('cancels a pause, drops what waits, and nothing is sent any more', async () => {
    const { webhook, posted, pauses, timers, advance, warned } = await receiver([500]);
    webhook.send('a');
    webhook.send('b');
    await posted.next();
    await pauses.next();
    webhook.close();
    webhook.close();
    expect(timers.size).toBe(0);
    webhook.send('c');
    advance(100 * SECOND);
    await settled();
    expect([posted.come, warned.come]).toEqual([[], []]);
  });

  test('ends what is under way, and its time-out', async () => {
    const { webhook, posted, hungUp, timers, pauses, warned } = await receiver(['never']);
    webhook.send('a');
    webhook.send('b');
    await posted.next();
    webhook.close();
    expect(await hungUp.next()).toBe(true);
    await settled();
    expect([timers.size, pauses.come, warned.come]).toEqual([0, [], []]);
    expect(posted.come).toEqual([]);
  });

  test('where nothing was sent, nothing will be', async () => {
    const fetch = jest.fn<Promise<Response>, []>();
    const { webhook } = await receiver([], { fetch });
    webhook.close();
    webhook.send('a');
    expect(fetch).not.toHaveBeenCalled();
  });
});

describe('the URL is a secret', () => {
  test('that nothing shows of what is returned', async () => {
    const { webhook, nextText } = await receiver();
    webhook.send('a');
    await nextText();
    const shown = inspect(webhook, { showHidden: true, depth: 10, getters: true }) + JSON.stringify(webhook);
    expect(shown + webhook.send + webhook.close).not.toContain(SECRET);
  });

  test.each<[string, (url: string) => unknown]>([
    ['rejects', (url) => Promise.reject(new TypeError(`Failed to parse ${url}`, { cause: new Error(url) }))],
    [
      'throws',
      (url) => {
        throw new Error(url);
      },
    ],
    ['throws what is no error', (url) => Promise.reject(url)],
  ])('that no warning tells, though fetch %s with it', async (_, fail) => {
    const { webhook, pass, warned } = await receiver([], { fetch: fail as unknown as typeof fetch });
    expect(() => webhook.send('a')).not.toThrow();
    for (let i = 0; i < 3; i++) await pass();
    expect(inspect(await warned.next())).not.toContain(SECRET);
  });

  test.each([
    `not a url ${SECRET}`,
    `http://${SECRET}:99999/`,
    `ftp://example.com/${SECRET}`,
    `data:text/plain,${SECRET}`,
    `https://user:${SECRET}@example.com/`,
    `https://${SECRET}@example.com/`,
    `https://:${SECRET}@example.com/`,
    '',
  ])('that the error does not show either, where it is none: %j', (url) => {
    const error = thrownBy(() => createWebhook({ url, clock: manualClock() }));
    expect(error.code).toBe('TOLLGATE_CONFIG_INVALID');
    expect(error.message).toMatch(/^webhook: got .*; expected an http: or https: URL without user and password$/);
    expect(inspect(error, { showHidden: true, depth: 10 })).not.toContain(SECRET);
    expect(error.cause).toBeUndefined();
  });
});
