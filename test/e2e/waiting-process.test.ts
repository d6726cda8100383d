/** A process that waits in the line goes on until it has been answered, and no longer: a real one, on what the build made. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describeWithRedis, useRedis } from '../helpers/redis-server.js';
import { ended } from './example.js';

function run(script: string) {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: join(__dirname, '..'),
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return ended(child);
}

/** The one slot is taken, and not given back. */
const occupied = (maxWait: string) => `
  import { createTollgate } from '@tollgate/core';
  const gate = createTollgate({ limits: [], queue: { concurrency: 1, maxWait: '${maxWait}' } });
  await gate.admit({ permits: 1 });
`;

test('a script that awaits its turn does not end before it has been told', async () => {
  const script = `${occupied('300ms')}
    const { refusal } = await gate.admit({ permits: 1 });
    console.log(refusal.reason);`;
  expect(await run(script)).toEqual({ code: 0, stdout: 'waited-too-long\n', stderr: '' });
});

test('who has left the line keeps no process alive', async () => {
  const script = `${occupied('1h')}
    const leaving = new AbortController();
    const waiting = gate.admit({ permits: 1 }, { signal: leaving.signal });
    leaving.abort(new Error('left'));
    console.log(await waiting.catch(({ message }) => message));`;
  expect(await run(script)).toEqual({ code: 0, stdout: 'left\n', stderr: '' });
});

describeWithRedis('on Redis', () => {
  const url = useRedis();

  test.each(['quit', 'disconnect'])(
    'a gate that is open keeps no process alive after %s of its client',
    async (end) => {
      const script = `
      import { budget, createTollgate } from '@tollgate/core';
      import { redisStore } from '@tollgate/core/redis';
      import { Redis } from 'ioredis';
      const client = new Redis('${url()}');
      const gate = createTollgate({
        store: redisStore(client, { prefix: 'process ${process.pid} ${end}', spendLedger: true }),
        limits: [],
        budgets: [budget({ name: 'spend', limit: '$1', per: 'day' })],
        queue: { concurrency: 1 },
      });
      console.log((await gate.admit({ permits: 1, usd: '$1' })).admitted);
      await client.${end}();`;
      expect(await run(script)).toMatchObject({ code: 0, stdout: 'true\n' });
    },
  );
});
