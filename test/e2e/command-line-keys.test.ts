/** Keys from the command line, in a real Redis: what is made there is taken by an app, and what is revoked isn't. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { keyRing } from '@tollgate/core/keys';
import { redisStore } from '@tollgate/core/redis';
import { Redis } from 'ioredis';
import { describeWithRedis, useRedis } from '../helpers/redis-server.js';
import { ROOT, run, writeFiles } from './packing.js';

const CLI = join(ROOT, 'packages/tollgate/dist/esm/cli.js');
/** In the workspace, where modules find what they import. */
const FOLDER = join(ROOT, 'test/node_modules/.cache/command-line-keys');

const tollgate = (...args: string[]) => run(process.execPath, [CLI, 'keys', ...args], FOLDER);

describeWithRedis('keys from the command line', () => {
  const url = useRedis();

  beforeAll(async () => {
    await mkdir(FOLDER, { recursive: true });
    await writeFiles(FOLDER, {
      'keys.ts': `
        import { redisStore } from '@tollgate/core/redis';
        import { Redis } from 'ioredis';
        export const keys = { store: redisStore(new Redis('${url()}'), { prefix: 'cli' }), limits: { spend: '$5' } };`,
      'memory.ts': "import { memoryStore } from '@tollgate/core'; export const keys = { store: memoryStore() };",
      'gone.ts': `
        import { redisStore } from '@tollgate/core/redis';
        import { Redis } from 'ioredis';
        export const keys = { store: redisStore(new Redis({ port: 1 }), { timeoutMs: 200 }) };`,
      'nothing.ts': 'export const other = 1;',
    });
  });

  afterAll(() => rm(FOLDER, { recursive: true, force: true }));

  test('are made, listed, rotated and revoked', async () => {
    const client = new Redis(url());
    const ring = keyRing({ store: redisStore(client, { prefix: 'cli' }), limits: { spend: '$5' } });
    const made = await tollgate('create', 'keys.ts', '--service', 'search', '--tenant', 'acme', '--limit', 'spend=$20');
    expect([made.code, made.stderr]).toEqual([0, expect.not.stringContaining('    at ')]);
    const [text] = made.stdout.split('\n');
    const verified = await ring.verify(text);
    const subject = { tenant: 'acme', limits: { spend: '$20' } };
    expect(verified.key).toMatchObject({ service: 'search', subject });

    const id = verified.key?.id as string;
    const rotated = JSON.parse((await tollgate('rotate', 'keys.ts', id, '--overlap', '1h', '--json')).stdout);
    expect(rotated).toMatchObject({ identity: id, text: expect.stringMatching(/^tg_live_/) });
    expect((await ring.verify(rotated.text)).key?.identity).toBe(id);

    const listed = (await tollgate('list', 'keys.ts')).stdout;
    expect(listed).toMatch(new RegExp(`${id} +search +production +acme +rotated`));
    expect(listed).not.toContain(text);

    expect((await tollgate('revoke', 'keys.ts', rotated.id)).stdout).toContain('is revoked');
    const fresh = keyRing({ store: redisStore(client, { prefix: 'cli' }) });
    expect((await fresh.verify(rotated.text)).key).toBeUndefined();
    await fresh.close();
    await ring.close();
    client.disconnect();
  }, 60_000);

  test.each([
    [['create', 'keys.ts'], /required option '--service <name>'/],
    [['create', 'keys.ts', '--service', 's', '--limit', 'spend'], /^--limit: got 'spend'; expected/],
    [['create', 'keys.ts', '--service', 's', '--expires-in', 'soon'], /expiresIn/],
    [['revoke', 'keys.ts', 'AAAAAAAAAAAA'], /'AAAAAAAAAAAA'/],
    [['list', 'memory.ts'], /^memory\.ts keeps keys in memory/],
    [['list', 'gone.ts'], /Redis/],
    [['list', 'nothing.ts'], /^nothing\.ts has no key ring/],
  ])('%j ends with 1, and says why', async (args, why) => {
    const { code, stderr } = await tollgate(...args);
    expect(code).toBe(1);
    expect(stderr.replace(/^.*Warning.*\n/gm, '')).toMatch(why);
    expect(stderr).not.toMatch(/ {4}at |ioredis/);
  });
});
