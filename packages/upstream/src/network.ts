/** Why a fetch failed: whether anything has reached the provider, and what to say about it. */

export interface Unanswered {
  /** Nothing has reached the provider, so nothing will be billed. */
  readonly neverSent: boolean;
  /** The request itself can't be sent, by anybody. */
  readonly unsendable: boolean;
  readonly timedOut: boolean;
  /** Such as `connect ECONNREFUSED 127.0.0.1:443`. */
  readonly why: string;
}

/** What fails before the request is written: names that aren't found, hosts that can't be reached or trusted. */
const BEFORE =
  /^(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|UND_ERR_CONNECT_TIMEOUT|ERR_TLS_.+|ERR_SSL_.+|CERT_.+|.*_CERT.*|UNABLE_TO_.+|HOSTNAME_MISMATCH)$/;
/** What isn't written at all. */
const UNSENDABLE = /^(UND_ERR_INVALID_ARG|UND_ERR_NOT_SUPPORTED|ERR_INVALID_.+)$/;
/** Characters that are kept of an error's message. */
const LONGEST_WHY = 200;
/** Shorter secrets aren't replaced: they could stand in any text by chance. */
const SHORTEST_SECRET = 8;
const TIME_OUTS = /^(UND_ERR_(HEADERS|BODY|CONNECT)_TIMEOUT|ETIMEDOUT)$/;

/**
 * @param error what a fetch rejected with
 * @param secret that was sent, and is not to be shown
 */
export function readUnanswered(error: unknown, secret: string): Unanswered {
  const causes = causesOf(error);
  const codes = causes.map(({ code }) => String(code ?? ''));
  const last = causes.at(-1);
  // A failed connection is a TypeError too, but with a cause, or by its message. By name, for it may be of another realm.
  const isPlain = last?.name === 'TypeError' && !('code' in last) && !/fetch|network/i.test(String(last.message));
  const unsendable = isPlain || codes.some((code) => UNSENDABLE.test(code));
  return {
    neverSent: unsendable || codes.some((code) => BEFORE.test(code)),
    unsendable,
    timedOut: codes.some((code) => TIME_OUTS.test(code)) || causes.some(({ name }) => name === 'TimeoutError'),
    why: withoutSecret(String(last?.message || last?.code || last?.name || 'no answer'), secret).slice(0, LONGEST_WHY),
  };
}

/** A text from outside, which may repeat the secret that was sent, also as it stands in URLs. */
export function withoutSecret(text: string, secret: string): string {
  if (secret.length < SHORTEST_SECRET) return text;
  const inQuery = new URLSearchParams({ '': secret }).toString().slice(1);
  return [inQuery, encodeURIComponent(secret), secret].reduce((left, one) => left.replaceAll(one, '[secret]'), text);
}

/** The response itself. Its URL is not to show the secret, which a provider's `authorize` may have put there. */
export function hidingSecret(response: Response, secret: string): Response {
  const { url } = response;
  // What sends may be the app's own, and give no whole response.
  const shown = url && withoutSecret(url, secret);
  return shown === url ? response : Object.defineProperty(response, 'url', { value: shown });
}

interface Cause {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
}

/** The error, its cause, the cause of that … Where several hosts were tried, by the first of them. */
function causesOf(error: unknown): readonly Cause[] {
  const causes: Cause[] = [];
  for (let at = error; typeof at === 'object' && at !== null && causes.length < 10; ) {
    causes.push(at);
    const { cause, errors } = at as { cause?: unknown; errors?: readonly unknown[] };
    at = cause ?? errors?.[0];
  }
  return causes;
}
