/** Two instances of the app behind one Redis: that at REDIS_URL, else one that is started here and ends with it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { Redis } from 'ioredis';

const children: ChildProcess[] = [];
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit());
process.once('exit', () => {
  for (const child of children) child.kill();
});

const redisUrl = process.env.REDIS_URL ?? (await startRedis());
for (const port of (process.env.PORTS ?? '3001,3002').split(',')) startApp(port, redisUrl);

function startApp(port: string, redisUrl: string): void {
  const env = { ...process.env, PORT: port, REDIS_URL: redisUrl };
  const app = spawn(process.execPath, ['--import', 'tsx', 'app.ts'], { env, stdio: 'inherit' });
  children.push(app);
  app.once('exit', (code) => process.exit(code ?? 1));
}

async function startRedis(): Promise<string> {
  const port = await freePort();
  const server = spawn('redis-server', ['--port', `${port}`, '--save', ''], { stdio: 'ignore' });
  children.push(server);
  server.once('error', () => {
    console.error('There is no redis-server on the PATH. Install one, or say where one is: REDIS_URL=redis://…');
    process.exit(1);
  });
  const url = `redis://localhost:${port}`;
  const client = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
  client.on('error', () => {});
  await client.ping();
  client.disconnect();
  return url;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
