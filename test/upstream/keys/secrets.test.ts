import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { manualClock } from '@tollgate/core/testing';
import { cached, env, file } from '@tollgate/upstream';

const UNAVAILABLE = { code: 'TOLLGATE_SECRET_UNAVAILABLE' };

/** A source that a test steers, and that counts. */
function steered() {
  const asked: boolean[] = [];
  const waiting: { give(secret: string): void; fail(error: unknown): void }[] = [];
  const source = (options?: { readonly fresh?: boolean }) => {
    asked.push(options?.fresh ?? false);
    return new Promise<string>((give, fail) => waiting.push({ give, fail }));
  };
  const next = () => {
    const first = waiting.shift();
    if (first === undefined) throw new Error('Nobody asks');
    return first;
  };
  return { source, asked, give: (secret: string) => next().give(secret), fail: (error: unknown) => next().fail(error) };
}

/** A source with one secret after another; the last stays. */
function giving(...secrets: string[]) {
  let asked = 0;
  return { source: () => secrets[Math.min(asked++, secrets.length - 1)], asked: () => asked };
}

describe('env', () => {
  afterEach(() => delete process.env.TOLLGATE_TEST_KEY);

  test('gives what the variable is now', async () => {
    const source = env('TOLLGATE_TEST_KEY');
    process.env.TOLLGATE_TEST_KEY = 'sk-one';
    expect(await source()).toBe('sk-one');
    process.env.TOLLGATE_TEST_KEY = 'sk-two';
    expect(await source()).toBe('sk-two');
  });

  test('names a variable that is missing or empty', () => {
    const source = env('TOLLGATE_TEST_KEY');
    expect(source).toThrow('the environment variable TOLLGATE_TEST_KEY is not set');
    process.env.TOLLGATE_TEST_KEY = '';
    expect(source).toThrow('the environment variable TOLLGATE_TEST_KEY is empty');
  });

  test.each(['sk-planted\r\nx: y', 'sk-planted\n', 'sk planted', 'sk-plantéd', `sk-planted${'x'.repeat(9000)}`])(
    'refuses what is no secret, and doesn’t show it',
    (value) => {
      process.env.TOLLGATE_TEST_KEY = value;
      const source = env('TOLLGATE_TEST_KEY');
      expect(source).toThrow(expect.objectContaining(UNAVAILABLE));
      expect(inspect(thrownBy(source), { depth: null, showHidden: true })).not.toMatch(/plant/);
    },
  );
});

describe('file', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tollgate-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('gives what stands in it now, without the line break at its end', async () => {
    const path = join(folder, 'key');
    const source = file(path);
    await writeFile(path, 'sk-one\n');
    expect(await source()).toBe('sk-one');
    await writeFile(path, 'sk-two');
    expect(await source()).toBe('sk-two');
  });

  test('names a file that can’t be read, is empty or holds something else', async () => {
    const path = join(folder, 'missing');
    await expect(file(path)()).rejects.toThrow(`the file ${path} can't be read (ENOENT)`);
    await writeFile(path, ' \n');
    await expect(file(path)()).rejects.toThrow(`the file ${path} is empty`);
    await writeFile(path, 'sk-planted\nsk-other');
    const error = await Promise.resolve(file(path)()).then(undefined, (error: unknown) => error);
    expect(error).toMatchObject(UNAVAILABLE);
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain('sk-planted');
  });
});

describe('cached', () => {
  test('asks again when what it holds has grown old', async () => {
    const clock = manualClock(0);
    const { source, asked } = giving('sk-one', 'sk-two');
    const secret = cached(source, { ttl: '1m', clock });
    expect([await secret(), await secret()]).toEqual(['sk-one', 'sk-one']);
    clock.set(59_999);
    expect(await secret()).toBe('sk-one');
    expect(asked()).toBe(1);
    clock.set(60_000);
    expect(await secret()).toBe('sk-two');
  });

  test('asks once for all who ask at one time', async () => {
    const { source, asked, give } = steered();
    const secret = cached(source);
    const all = Array.from({ length: 50 }, () => secret());
    give('sk-one');
    expect(new Set(await Promise.all(all))).toEqual(new Set(['sk-one']));
    const fresh = Array.from({ length: 50 }, () => secret({ fresh: true }));
    give('sk-two');
    expect(new Set(await Promise.all(fresh))).toEqual(new Set(['sk-two']));
    expect(asked).toEqual([false, true]);
  });

  test('a fresh one is asked for anew, though one is being asked for, and it stays', async () => {
    const { source, asked, give } = steered();
    const secret = cached(source);
    const usual = secret();
    const fresh = secret({ fresh: true });
    expect(asked).toEqual([false, true]);
    give('sk-old');
    expect(await usual).toBe('sk-old');
    give('sk-new');
    expect(await fresh).toBe('sk-new');
    expect(await secret()).toBe('sk-new');
  });

  test('what comes late doesn’t displace what was asked for after it', async () => {
    const answers: ((secret: string) => void)[] = [];
    const secret = cached(() => new Promise((give) => answers.push(give)));
    const [usual, fresh] = [secret(), secret({ fresh: true })];
    answers[1]('sk-new');
    await fresh;
    answers[0]('sk-old');
    await usual;
    expect(await secret()).toBe('sk-new');
  });

  test('goes on with what it holds while the source fails, and asks again 10 seconds later', async () => {
    const clock = manualClock(0);
    const { source, asked, give, fail } = steered();
    const secret = cached(source, { ttl: '1m', clock });
    const first = secret();
    give('sk-one');
    await first;
    clock.set(60_000);
    const stale = secret();
    fail(new Error('down'));
    expect(await stale).toBe('sk-one');
    clock.set(69_999);
    expect(await secret()).toBe('sk-one');
    expect(asked).toHaveLength(2);
    clock.set(70_000);
    const second = secret();
    give('');
    expect(await second).toBe('sk-one');
    clock.set(80_000);
    const third = secret();
    give('sk-two');
    expect(await third).toBe('sk-two');
  });

  test('who wants a fresh one gets no stale one', async () => {
    const { source, give, fail } = steered();
    const secret = cached(source);
    const first = secret();
    give('sk-one');
    await first;
    const fresh = secret({ fresh: true });
    fail(new Error('down'));
    await expect(fresh).rejects.toMatchObject(UNAVAILABLE);
    expect(await secret()).toBe('sk-one');
  });

  test('fails with the source while it holds nothing, and asks again at once', async () => {
    const { source, give, fail } = steered();
    const secret = cached(source);
    const first = secret();
    fail(new Error('the vault said sk-planted'));
    const error = await Promise.resolve(first).then(undefined, (error: unknown) => error);
    expect(error).toMatchObject({
      ...UNAVAILABLE,
      message: 'There is no secret to send: its source failed with Error.',
    });
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain('sk-planted');
    const second = secret();
    give('sk-one');
    expect(await second).toBe('sk-one');
  });

  test('a source that throws at once, or gives no text, fails likewise', async () => {
    const wrong = [
      () => {
        throw 'sk-planted';
      },
      () => 7 as unknown as string,
      () => undefined as unknown as string,
    ];
    for (const source of wrong) await expect(cached(source)()).rejects.toMatchObject(UNAVAILABLE);
  });

  test.each([0, -1, '5', 'soon', Number.NaN])('a ttl of %p is none', (ttl) => {
    expect(() => cached(() => 'sk', { ttl: ttl as number })).toThrow(
      /cached\.ttl: got .* expected milliseconds above 0/,
    );
  });

  test('what holds a secret shows none', async () => {
    const secret = cached(() => 'sk-planted');
    await secret();
    for (const shown of [
      inspect(secret, { depth: null, showHidden: true }),
      JSON.stringify({ secret }),
      String(secret),
    ]) {
      expect(shown).not.toContain('sk-planted');
    }
  });
});

function thrownBy(task: () => unknown): unknown {
  try {
    return task();
  } catch (error) {
    return error;
  }
}
