/** Stands between a client and Redis, and fails as networks do. What was sent is always carried out, if late. */
import { connect, createServer, type Socket } from 'node:net';

export interface FaultyProxy {
  readonly port: number;
  /** The connection breaks after the next script was carried out, in place of its reply. */
  loseNextReply(): void;
  /** The next script is on its way until `deliver`, though its connection is broken. */
  delayNext(): void;
  deliver(): void;
  /** Replies don't arrive until `letGo`. */
  hold(): void;
  letGo(): void;
  /** All connections break, and new ones too, until `mend`. */
  cut(): void;
  mend(): void;
  /** All connections break, and new ones are to another port. */
  redirect(port: number): void;
  close(): Promise<void>;
}

export async function startFaultyProxy(target: number): Promise<FaultyProxy> {
  let current = target;
  const pairs = new Set<{ client: Socket; server: Socket; held: Buffer[] }>();
  let [isLosing, isDelaying, isHolding, isCut] = [false, false, false, false];
  const delayed: (() => void)[] = [];

  const listener = createServer((client) => {
    if (isCut) return void client.destroy();
    const server = connect(current, '127.0.0.1');
    const pair = { client, server, held: [] as Buffer[] };
    let [hasAskedForScript, isLate] = [false, false];
    pairs.add(pair);
    client.on('data', (data) => {
      if (/\r\neval/i.test(data.toString('latin1'))) hasAskedForScript = true;
      if (isDelaying && hasAskedForScript) {
        isDelaying = false;
        isLate = true;
        delayed.push(() => server.end(data));
        client.destroy();
      } else server.write(data);
    });
    server.on('data', (data) => {
      if (isLosing && hasAskedForScript) {
        isLosing = false;
        client.destroy();
      } else if (isHolding) pair.held.push(data);
      else client.write(data);
    });
    for (const [one, other] of [
      [client, server],
      [server, client],
    ]) {
      one.on('error', () => {});
      one.on('close', () => {
        pairs.delete(pair);
        if (!isLate) other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));

  function breakAll(): void {
    for (const { client } of pairs) client.destroy();
  }

  return {
    port: (listener.address() as { port: number }).port,
    loseNextReply() {
      isLosing = true;
    },
    delayNext() {
      isDelaying = true;
    },
    deliver() {
      for (const send of delayed.splice(0)) send();
    },
    hold() {
      isHolding = true;
    },
    letGo() {
      isHolding = false;
      for (const { client, held } of pairs) for (const data of held.splice(0)) client.write(data);
    },
    cut() {
      isCut = true;
      breakAll();
    },
    mend() {
      isCut = false;
    },
    redirect(port) {
      current = port;
      breakAll();
    },
    close() {
      breakAll();
      return new Promise((resolve) => void listener.close(() => resolve()));
    },
  };
}
