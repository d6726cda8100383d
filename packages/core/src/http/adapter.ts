/** The seam to a framework: what differs between them, and nothing else. */
import type { Refusal } from './problem.js';

/** How a response ended. */
export interface ResponseEnd {
  readonly status: number;
  /** False where the client left before the end. */
  readonly finished: boolean;
}

/** What is asked of a framework, about requests and responses of its own kind; `N` is its way on to what is below. */
export interface Adapter<R, S, N = never> {
  method(request: R): string;
  /** What the client asked for: path and query, whatever the app has made of it since. */
  url(request: R): string;
  /** The client's address, as far as the app trusts its proxies. */
  ip(request: R): string | undefined;
  /** The route's pattern, such as `/users/:id`, where it is known. Never a path, which clients choose. */
  route(request: R): string | undefined;
  /** Whose word on the client's address the app takes. */
  proxyTrust(request: R): 'none' | 'some' | 'all';
  header(request: R, name: string): string | readonly string[] | undefined;
  /** Names and values in turn, as they came. */
  rawHeaders(request: R): readonly string[];
  /** The parsed body, where it has been parsed. */
  body(request: R): unknown;
  /** Status and headers are on their way. */
  isBegun(response: S): boolean;
  /** What a response has of a header field so far. */
  getHeader(response: S, name: string): unknown;
  /** Of a response that has not begun. */
  setHeader(response: S, name: string, value: string): void;
  /** Of a response that has not begun. */
  removeHeader(response: S, name: string): void;
  isClosed(response: S): boolean;
  /** Calls `listener` once, when the response is over, whichever way. */
  onClose(response: S, listener: (end: ResponseEnd) => void): void;
  /** Answers a refused request, or has the app do so. The response has not begun, and has the refusal's headers. */
  refuse(refusal: Refusal, request: R, response: S, next: N): unknown;
  /** Hands what was thrown, which may be anything, to the app's error handling: by throwing it, or by `next`. */
  fail(thrown: unknown, next: N): unknown;
}
