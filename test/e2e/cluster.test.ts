import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { describeWithOwnRedis } from '../helpers/redis-server.js';
import { spawnExample } from './example.js';
import { remaining } from './example-app.js';

describeWithOwnRedis('two instances behind one Redis', () => {
  let child: ChildProcess;
  let urls: string[];

  beforeAll(async () => {
    child = spawnExample('cluster/start.ts', [], { PORTS: '0,0' });
    urls = await twoAddresses(child);
  }, 120_000);

  afterAll(async () => {
    child.kill();
    await once(child, 'close');
  });

  const chat = (url: string, user: string) =>
    fetch(`${url}/chat`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-User': user },
      body: JSON.stringify({ message: 'hi' }),
    });

  test('count as one', async () => {
    const replies = [];
    for (let i = 0; i < 5; i++) replies.push(await chat(urls[i % 2], 'bob'));
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200, 429]);
    expect(replies.map((reply) => remaining(reply).user)).toEqual([30, 20, 10, 0, 0]);
    const [first, second] = await Promise.all(replies.slice(0, 2).map((reply) => reply.json()));
    expect((first as { by: string }).by).not.toBe((second as { by: string }).by);
  });

  test('answer a request without a body', async () => {
    const answer = await fetch(`${urls[0]}/chat`, { method: 'POST', headers: { 'X-User': 'cleo' } });
    expect(await answer.json()).toMatchObject({ reply: 'You said: nothing' });
  });

  test('admit together what one would, when asked at the same time', async () => {
    const replies = await Promise.all(Array.from({ length: 40 }, (_, i) => chat(urls[i % 2], 'ann')));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(4);
  });
});

function twoAddresses({ stdout, stderr }: ChildProcess): Promise<string[]> {
  return new Promise((resolve, reject) => {
    let said = '';
    for (const stream of [stdout, stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        const urls = said.match(/http:\/\/localhost:\d+/g);
        if (urls?.length === 2) resolve(urls);
      });
    }
    stdout?.once('close', () => reject(new Error(`It ended before both instances listened:\n${said}`)));
  });
}
