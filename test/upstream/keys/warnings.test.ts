import type { KeyOptions } from '@tollgate/upstream';
import { SIGNED_BY_CALLER } from '../../../packages/upstream/src/keys/key.js';
import { warnOfKeys, warnOfRefusal } from '../../../packages/upstream/src/keys/warnings.js';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 10, 23);
const secret = () => 'sk-planted';

let told: string[];
beforeEach(() => {
  told = [];
  jest.spyOn(process, 'emitWarning').mockImplementation((message, options) => {
    const { type, code } = options as { type: string; code: string };
    told.push(`${type} ${code} ${message}`);
  });
});
afterEach(() => jest.restoreAllMocks());

function warned(keys: readonly KeyOptions[], own?: string): string[] {
  warnOfKeys('openai', keys, own, NOW, new Set());
  return told;
}

test('a single key is warned of', () => {
  expect(warned([{ name: 'a', secret }])).toEqual([
    "TollgateWarning TOLLGATE_SINGLE_KEY Provider 'openai' has a single key: nothing stands in for it when it is refused or replaced.",
  ]);
});

test('each environment needs two, those of all environments counted', () => {
  const key = (name: string, environment?: string) => ({ name, secret, environment });
  expect(warned([key('a', 'production'), key('b', 'production'), key('c', 'staging')])).toEqual([
    expect.stringContaining("has a single key for 'staging'"),
  ]);
  told = [];
  expect(warned([key('a', 'production'), key('b', 'staging'), key('c'), key('d')])).toEqual([]);
});

test('an environment without a key that is used there is warned of', () => {
  const key = (name: string, environment?: string) => ({ name, secret, environment });
  const keys = [key('a', 'production'), key('b', 'production')];
  expect(warned(keys, 'prod')).toEqual([
    "TollgateWarning TOLLGATE_SINGLE_KEY Provider 'openai' has no key for 'prod', where it is: it serves no call.",
  ]);
  told = [];
  expect([...warned(keys, 'production'), ...warned([key('a'), key('b')], 'prod')]).toEqual([]);
});

test.each([NOW - 91 * DAY, new Date(NOW - 91 * DAY), new Date(NOW - 91 * DAY).toISOString()])(
  'a key of over 90 days is warned of: %p',
  (createdAt) => {
    expect(
      warned([
        { name: 'a', secret, createdAt },
        { name: 'b', secret, createdAt: NOW - 90 * DAY },
        { name: 'c', secret },
      ]),
    ).toEqual([
      "TollgateWarning TOLLGATE_OLD_KEY Key 'a' of provider 'openai' is 91 days old: replace it at least every 90 days.",
    ]);
  },
);

test('each is told once', () => {
  const keys = [{ name: 'a', secret, createdAt: 0 }];
  const before = new Set<string>();
  for (let i = 0; i < 3; i++) {
    warnOfKeys('openai', keys, undefined, NOW, before);
    warnOfRefusal('openai', 'a', before);
  }
  warnOfRefusal('openai', 'b', before);
  expect(told.map((line) => line.split(' ')[1])).toEqual([
    'TOLLGATE_SINGLE_KEY',
    'TOLLGATE_OLD_KEY',
    'TOLLGATE_KEY_REFUSED',
    'TOLLGATE_KEY_REFUSED',
  ]);
  expect(told.join()).not.toContain('sk-planted');
});

test('where requests are signed there are no keys to warn of', () => {
  expect(warned([SIGNED_BY_CALLER])).toEqual([]);
});
