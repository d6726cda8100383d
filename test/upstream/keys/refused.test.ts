/** A key that was refused: its source is asked once for another secret, by all who met the refusal. */
import { cached } from '@tollgate/upstream';
import { askAnother } from '../../../packages/upstream/src/keys/secrets.js';

function rotating(...secrets: string[]) {
  const asked: boolean[] = [];
  const source = cached(async (options) => {
    asked.push(options?.fresh ?? false);
    return secrets[Math.min(asked.length, secrets.length) - 1];
  });
  return { source, asked };
}

test('who was refused first asks anew, and the others get what that gave', async () => {
  const { source, asked } = rotating('sk-old', 'sk-new');
  const refused = await source();
  const another = await Promise.all(Array.from({ length: 50 }, () => askAnother(source, refused)));
  expect(new Set(another)).toEqual(new Set(['sk-new']));
  expect(await askAnother(source, refused)).toBe('sk-new');
  expect(asked).toEqual([false, true]);
});

test('where the source has no other there is none', async () => {
  const { source, asked } = rotating('sk-old');
  expect(await askAnother(source, await source())).toBeUndefined();
  expect(asked).toEqual([false, true]);
});

test('a source that fails is an error, with nothing of what it said', async () => {
  const source = cached(async (options) => {
    if (options?.fresh) throw new Error('sk-planted is not to be had');
    return 'sk-old';
  });
  await expect(askAnother(source, 'sk-old')).rejects.toThrow(
    /^There is no secret to send: its source failed with Error\.$/,
  );
});
