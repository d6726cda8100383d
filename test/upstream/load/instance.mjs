/** An instance of an app in a process of its own, whose time is told to it: users who ask a provider again and again. */
import { createTollgate } from '@tollgate/core';
import { redisStore } from '@tollgate/core/redis';
import { manualClock } from '@tollgate/core/testing';
import { createUpstream, openai } from '@tollgate/upstream';
import { Redis } from 'ioredis';

const { redisUrl, prefix, start, baseUrl, users, everyMs, minutes, seed } = JSON.parse(process.argv[2]);
const clock = manualClock(start);
const client = new Redis(redisUrl);
const gate = createTollgate({
  clock,
  limits: [],
  store: redisStore(client, { clock: 'gate', prefix, timeoutMs: 60_000 }),
});
let underWay = 0;
const llm = createUpstream({
  gate,
  providers: [openai({ baseUrl, keys: [{ name: 'prod-1', secret: () => 'sk-1' }] })],
  maxWait: { standard: '1m' },
  async fetch(input, init) {
    underWay++;
    try {
      const response = await fetch(input, init);
      return new Response(await response.text(), response);
    } finally {
      underWay--;
    }
  },
});

let state = seed;
function random() {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
}

const until = (at) => new Promise((resolve) => clock.after(at - clock.now(), resolve));
const body = '{"model":"gpt-5-mini","max_tokens":50,"messages":[{"role":"user","content":"Hm?"}]}';
const end = start + minutes * 60_000;
let failed = 0;

async function use(user) {
  const { fetch } = llm.as({ subject: { user } });
  for (let next = start + random() * everyMs; ; next = Math.max(next + everyMs * (0.5 + random()), clock.now() + 1)) {
    await until(next);
    if (clock.now() >= end) return;
    const response = await fetch(`${baseUrl}/chat/completions`, { method: 'POST', body });
    await response.text();
    if (response.status !== 200) failed++;
  }
}

/** All that Redis was asked is answered, and all that has come of it is done. */
async function settled() {
  for (let quiet = 0; quiet < 2; ) {
    await client.ping();
    await new Promise(setImmediate);
    quiet = client.commandQueue.length === 0 ? quiet + 1 : 0;
  }
}

process.on('message', async ({ advanceMs, ends }) => {
  clock.advance(advanceMs);
  await settled();
  if (!ends) return process.send({ underWay, failed });
  await Promise.all([llm.close(), gate.close()]);
  process.exit();
});
for (let i = 0; i < users; i++) use(`user-${seed}-${i}`).catch(() => {});
process.send({ underWay, failed });
