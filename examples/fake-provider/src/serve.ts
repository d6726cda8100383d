/** The two ways to a provider: over HTTP, and as a fetch in the same process. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FakeProvider } from './provider.js';

type Handler = Pick<FakeProvider, 'handle'>;

export interface Serving {
  /** Such as `http://127.0.0.1:40123`. */
  readonly url: string;
  close(): void;
}

/** Serves on a free port of this machine's own. */
export async function serve(provider: Handler, port = 0): Promise<Serving> {
  const server = createServer((req, res) => void answer(provider, req, res)).listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function answer(provider: Handler, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const gone = new AbortController();
  res.once('close', () => gone.abort());
  try {
    const parts: Buffer[] = [];
    for await (const part of req) parts.push(part);
    const body = req.method === 'POST' ? { body: Buffer.concat(parts) } : {};
    const headers = Object.entries(req.headers).map(([name, value]): [string, string] => [name, String(value)]);
    const request = new Request(`http://localhost${req.url}`, { method: req.method ?? 'GET', headers, ...body });
    const response = await provider.handle(request, gone.signal);
    res.writeHead(response.status, Object.fromEntries(response.headers));
    res.flushHeaders();
    for await (const part of response.body ?? []) res.write(part);
    res.end();
  } catch {
    res.destroy();
  }
}

/** A fetch that ends up at the provider, whatever the URL, with no socket in between. */
export function fetchOf(provider: Handler): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const { signal } = request;
    signal.throwIfAborted();
    const left = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    return Promise.race([provider.handle(request, signal), left]);
  };
}
