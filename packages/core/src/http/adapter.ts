/** The seam to a framework: what differs between them, and nothing else. */

/** How a response ended. */
export interface ResponseEnd {
  readonly status: number;
  /** False where the client left before the end. */
  readonly finished: boolean;
}

/** What is asked of a framework, about requests and responses of its own kind. */
export interface Adapter<R, S> {
  method(request: R): string;
  /** The client's address, as far as the app trusts its proxies. */
  ip(request: R): string | undefined;
  /** The route's pattern, such as `/users/:id`, where it is known. Never a path, which clients choose. */
  route(request: R): string | undefined;
  /** Whose word on the client's address the app takes. */
  proxyTrust(request: R): 'none' | 'some' | 'all';
  header(request: R, name: string): string | readonly string[] | undefined;
  /** Does nothing once the response has begun. */
  setHeaders(response: S, headers: readonly Header[]): void;
  isClosed(response: S): boolean;
  /** Calls `listener` once, when the response is over, whichever way. */
  onClose(response: S, listener: (end: ResponseEnd) => void): void;
}

export type Header = readonly [name: string, value: string];
