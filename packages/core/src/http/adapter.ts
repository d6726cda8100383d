/** The seam to a framework: what differs between them, and nothing else. */

/** How a response ended. */
export interface ResponseEnd {
  readonly status: number;
  /** False where the client left before the end. */
  readonly finished: boolean;
}

/** What is asked of a framework, about a request of its own kind. */
export interface Adapter<R> {
  method(request: R): string;
  /** The client's address, as far as the app trusts its proxies. */
  ip(request: R): string | undefined;
  /** The route's pattern, such as `/users/:id`, where it is known. Never a path, which clients choose. */
  route(request: R): string | undefined;
  /** Whose word on the client's address the app takes. */
  proxyTrust(request: R): 'none' | 'some' | 'all';
  header(request: R, name: string): string | readonly string[] | undefined;
  setHeader(request: R, name: string, value: string): void;
  isClosed(request: R): boolean;
  /** Calls `listener` once, when the response is over, whichever way. */
  onClose(request: R, listener: (end: ResponseEnd) => void): void;
}
