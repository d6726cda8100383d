/** Starts the service, records what it is asked, and ends it without cutting anybody off. */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createTollgate } from '@tollgate/core';
import { recordTraffic } from '@tollgate/core/traffic';
import { startStandIns } from '@tollgate/fake-provider';
import { createApp } from './app.js';
import { redis, ring } from './keys.js';
import policy from './policy.js';
import { createProviders } from './providers.js';

const { PORT = '3000', TRAFFIC_LOG } = process.env;
if (process.env.OPENAI_KEY_1 === undefined) Object.assign(process.env, await startStandIns());

const gate = createTollgate(policy);
const providers = createProviders(gate);
const log = TRAFFIC_LOG === undefined ? undefined : createWriteStream(TRAFFIC_LOG, { flags: 'a' });
if (log) recordTraffic(gate, (line) => log.write(`${line}\n`));

if (redis === undefined) await printKeys();
const server = createApp(gate, providers).listen(Number(PORT));
await once(server, 'listening');
console.log(`http://localhost:${(server.address() as AddressInfo).port}`);

process.once('SIGTERM', stop).once('SIGINT', stop);

/** Takes nothing new, lets what is under way end, and tells the store what is still to be told. */
async function stop(): Promise<void> {
  setTimeout(() => server.closeAllConnections(), 25_000).unref();
  server.close();
  await once(server, 'close');
  await providers.llm.close();
  await gate.close();
  await ring.close();
  await redis?.quit();
  await new Promise<void>((done) => (log ? log.end(done) : done()));
  process.exit();
}

/** Keys that end with this process have to be made by it. */
async function printKeys(): Promise<void> {
  const plans = { ada: 'pro', bob: 'free' };
  const making = Object.entries(plans).map(async ([user, plan]) => {
    const { reveal } = await ring.create({ service: 'web', subject: { user, plan, tenant: 'acme' } });
    return `${user} (${plan}): ${reveal()}`;
  });
  console.log((await Promise.all(making)).join('\n'));
}
