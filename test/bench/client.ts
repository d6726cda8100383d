/**
 * A client that asks as fast as it is answered, by as many connections as it has. It reads no more of a response than it
 * must: a client that takes longer than the server would measure itself.
 */
import { connect } from 'node:net';

export interface Load {
  readonly connections: number;
  readonly seconds: number;
}

/** A request as it goes over the wire. */
export function wire(path: string, headers: Readonly<Record<string, string>>): string {
  const fields = Object.entries({ host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\n${fields.join('')}\r\n`;
}

/** Sends the requests in turn, again and again. Resolves with the number of those answered and the seconds that took. */
export async function drive(
  port: number,
  requests: readonly string[],
  { connections, seconds }: Load,
): Promise<{ answered: number; seconds: number }> {
  const began = performance.now();
  const until = began + seconds * 1000;
  let sent = 0;
  let answered = 0;
  const next = () => requests[sent++ % requests.length];
  const isOver = () => {
    answered++;
    return performance.now() >= until;
  };
  await Promise.all(Array.from({ length: connections }, () => keepBusy(port, next, isOver)));
  return { answered, seconds: (performance.now() - began) / 1000 };
}

function keepBusy(port: number, next: () => string, isOver: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(next())).setNoDelay();
    let response = '';
    socket.on('error', reject);
    socket.on('end', () => reject(new Error(`the server closed a connection after: ${response}`)));
    socket.on('data', (bytes) => {
      response += bytes.toString('latin1');
      if (!response.startsWith('HTTP/1.1 200')) reject(new Error(`the server answered: ${response}`));
      if (!isWhole(response)) return;
      response = '';
      if (!isOver()) {
        socket.write(next());
        return;
      }
      socket.removeAllListeners('end').end();
      resolve();
    });
  });
}

/** True once all of a response with a `Content-Length` is there. */
function isWhole(response: string): boolean {
  const end = response.indexOf('\r\n\r\n');
  const length = /content-length: (\d+)/i.exec(response)?.[1];
  return end >= 0 && response.length >= end + 4 + Number(length);
}
