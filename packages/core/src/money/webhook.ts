import type { Clock } from '../clock.js';
import { TollgateError, warn } from '../errors.js';

/** Where alerts are posted to, one at a time and in their order. */
export interface Webhook {
  /** Posts the text when those before it are through. Returns at once and never throws; what fails is warned of. */
  send(text: string): void;
  /** Ends it, at once: what is under way or waits is not sent. Safe to call twice. */
  close(): void;
}

export interface WebhookOptions {
  /** `http:` or `https:`, without user and password. Secret: who knows it can post. */
  readonly url: string;
  readonly clock: Clock;
  /** `globalThis.fetch` unless given. */
  readonly fetch?: typeof globalThis.fetch;
}

/** Why a message was not taken. */
interface Failure {
  readonly why: string;
  /** Another try may help. */
  readonly passing: boolean;
  /** How long the receiver wants to be left alone, in milliseconds. */
  readonly restMs: number;
}

/** The pauses after the first, the second and the third try, in milliseconds; the fourth is the last. */
const PAUSES_MS: readonly number[] = [1000, 4000, 16_000];

/** The longest rest that a receiver gets. */
const LONGEST_REST_MS = 60_000;

const TIMEOUT_MS = 10_000;

const MAX_WAITING = 100;

/**
 * A webhook that takes `{"text": "…"}` as JSON, as Slack, Mattermost and many others do, Discord under `/slack`.
 *
 * A message is tried again after network errors, time-outs, 429 and 5xx, and given up with the warning
 * `TOLLGATE_WEBHOOK_FAILED` after four tries or any other answer; redirects are not followed, since what is posted is
 * for one receiver. Where more than 100 wait, the oldest is dropped, with the warning `TOLLGATE_WEBHOOK_FULL`.
 *
 * The URL lives in closures alone, and warnings name its host at most.
 *
 * @throws {TollgateError} `TOLLGATE_CONFIG_INVALID` where the URL is none that can be posted to
 */
export function createWebhook({ url, clock, fetch = globalThis.fetch }: WebhookOptions): Webhook {
  const { href, host } = parseUrl(url);
  const waiting: string[] = [];
  let running = false;
  let closed = false;
  let toldOfDrops = false;
  /** Ends the try or the pause that is under way. */
  let interrupt = () => {};

  async function post(body: string): Promise<Failure | undefined> {
    const controller = new AbortController();
    const cancelTimeout = clock.after(TIMEOUT_MS, () => controller.abort());
    interrupt = () => {
      cancelTimeout();
      controller.abort();
    };
    try {
      const response = await fetch(href, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        redirect: 'manual',
        signal: controller.signal,
      });
      // What the answer says has no bearing on whether the message was taken, and unread it would hold its connection.
      response.body?.cancel().catch(() => {});
      return failureOf(response);
    } catch {
      // The error is not told of, since it may name the URL.
      const why = controller.signal.aborted ? `no answer within ${TIMEOUT_MS / 1000} seconds` : 'it was not reached';
      return { why, passing: true, restMs: 0 };
    } finally {
      cancelTimeout();
    }
  }

  /** Interrupted, it never returns, and is forgotten. */
  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      interrupt = clock.after(ms, resolve);
    });
  }

  async function deliver(text: string): Promise<void> {
    const body = JSON.stringify({ text: withoutMarkup(text) });
    for (const pauseMs of [...PAUSES_MS, undefined]) {
      const failure = await post(body);
      if (failure === undefined || closed) return;
      if (pauseMs === undefined || !failure.passing) {
        warn('TOLLGATE_WEBHOOK_FAILED', `An alert could not be posted to the webhook at ${host}: ${failure.why}`);
        return;
      }
      await pause(Math.max(pauseMs, failure.restMs));
    }
  }

  async function run(): Promise<void> {
    running = true;
    for (let text = waiting.shift(); text !== undefined; text = waiting.shift()) await deliver(text);
    running = false;
    toldOfDrops = false;
  }

  function drop(): void {
    waiting.shift();
    if (toldOfDrops) return;
    toldOfDrops = true;
    warn(
      'TOLLGATE_WEBHOOK_FULL',
      `More than ${MAX_WAITING} alerts wait for the webhook at ${host}; until it has caught up, the oldest are dropped`,
    );
  }

  return {
    send(text) {
      if (closed) return;
      waiting.push(text);
      if (!running) run();
      else if (waiting.length > MAX_WAITING) drop();
    },
    close() {
      closed = true;
      waiting.length = 0;
      interrupt();
    },
  };
}

function failureOf({ ok, status, headers }: Response): Failure | undefined {
  if (ok) return undefined;
  const restMs = status === 429 ? Number(headers.get('retry-after')) * 1000 : 0;
  return {
    why: `it answered ${status}`,
    passing: status === 429 || status >= 500,
    restMs: restMs > 0 ? Math.min(restMs, LONGEST_REST_MS) : 0,
  };
}

/**
 * The text with nothing in it that a receiver makes a link or a mention of: Slack reads `<…>` and entities; Mattermost
 * and Discord read Markdown's `[…](…)` and mentions of all as they are written, and a space of no width stops them.
 */
function withoutMarkup(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/@(?=channel|here|all|everyone)|\](?=\()/gi, '$&\u200B');
}

/** True for what can be posted to. */
export function isWebhookUrl(value: unknown): value is string {
  if (typeof value !== 'string' || !URL.canParse(value)) return false;
  const { protocol, username, password } = new URL(value);
  return /^https?:$/.test(protocol) && username === '' && password === '';
}

/** Its own error, which shows nothing of the URL: Node's has it as a property. */
function parseUrl(url: string): URL {
  if (isWebhookUrl(url)) return new URL(url);
  throw new TollgateError(
    'TOLLGATE_CONFIG_INVALID',
    'webhook: got a value that is not shown, since it may be secret; expected an http: or https: URL without user and password',
  );
}
