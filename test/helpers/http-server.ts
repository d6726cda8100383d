/** Real servers on 127.0.0.1 for one test, and the plainest of clients for them. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type RequestListener, request, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

/** What came back, read to the end. */
export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface SendOptions {
  /** POST where there is a body, else GET, unless given. */
  method?: string;
  /** A list sends the header once for each value. */
  headers?: Record<string, string | string[]>;
  /** JSON, unless the headers say otherwise. */
  body?: string;
}

const running = new Set<Server>();

/** By the client's port: the end of its response, on the server's side. */
const ends = new Map<number, Promise<unknown>>();

export async function listen(listener: RequestListener, options: { maxHeaderSize?: number } = {}): Promise<Server> {
  const server = createServer(options, (req, res) => {
    ends.set(req.socket.remotePort as number, once(res, 'close'));
    listener(req, res);
  });
  running.add(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** Ends all servers of the test, with whatever is still open on them. */
export async function closeServers(): Promise<void> {
  const closing = [...running].map((server) => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  running.clear();
  ends.clear();
  await Promise.all(closing);
}

/**
 * One request on a connection of its own, over when both sides know it. Rejects where the server hangs up before the end.
 */
export function send(server: Server, path: string, options: SendOptions = {}): Promise<Reply> {
  const { body, method = body === undefined ? 'GET' : 'POST' } = options;
  const headers = { ...(body !== undefined && { 'content-type': 'application/json' }), ...options.headers };
  return new Promise((resolve, reject) => {
    const outgoing = request({ port: portOf(server), path, method, headers, agent: false }, (incoming) => {
      const end = ends.get(incoming.socket.localPort as number);
      let text = '';
      incoming.setEncoding('utf8').on('data', (part) => {
        text += part;
      });
      incoming.on('error', reject);
      incoming.on('end', async () => {
        await end;
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text });
      });
    });
    outgoing.on('error', reject).end(body);
  });
}

/** A client that can leave when it likes: a bare socket on which one request has been sent. */
export function sendAndStay(
  server: Server,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Socket {
  const lines = Object.entries({ Host: '127.0.0.1', ...headers }).map(([name, value]) => `${name}: ${value}`);
  const socket = connect(portOf(server), '127.0.0.1');
  socket.on('error', () => {});
  socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  return socket;
}

/** Lets everything that is ready to run do so, with all that it sets off: for saying that something did not happen. */
export async function quiet(turns = 10): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}

export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

export function deferred<T = void>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
