/** Clients that aren't told by a header not to try again. */

/** Vercel's AI SDK goes by the status alone. */
const GOES_BY_STATUS = /\bai-sdk[/-]/;
/** "Failed Dependency": what it depends on has failed. Nobody tries that again by itself. */
const NOT_TRIED_AGAIN = 424;

/**
 * An answer that isn't to be asked for again, in the way that its client understands. What the status was stands in the header
 * `tollgate-status`; the body is the same.
 *
 * @param client the headers of its request
 */
export function understood(answer: Response, client: Headers): Response {
  const { status, headers, body } = answer;
  const triesAgain = status === 408 || status === 409 || status === 429 || status >= 500;
  if (!triesAgain || headers.get('x-should-retry') !== 'false') return answer;
  if (!GOES_BY_STATUS.test(client.get('user-agent') ?? '')) return answer;
  const more = new Headers(headers);
  more.set('tollgate-status', String(status));
  return new Response(body, { status: NOT_TRIED_AGAIN, headers: more });
}
