import { createConduct, makeToll, type TollOptions } from '@tollgate/core/http';
import { gateOf, thrownBy } from './support.js';

const errorOf = (estimate: unknown) => thrownBy(() => makeToll('small', { estimate } as TollOptions<object>));

test.each<[string, unknown, string, unknown]>([
  ['less than nothing', { outputTokens: -1 }, 'estimate.outputTokens', -1],
  ['a word', { inputTokens: '5' }, 'estimate.inputTokens', '5'],
  ['tokens of no kind', { promptTokens: 5 }, 'estimate.promptTokens', 5],
  ['parts of more than the whole', { inputTokens: 5, cachedInputTokens: 6 }, 'estimate.inputTokens', 5],
  ['a list', [], 'estimate', []],
  ['null', null, 'estimate', null],
  ['a number', 5, 'estimate', 5],
])('an estimate of %s is refused where it stands, and not by each request', (_, estimate, path, value) => {
  const error = errorOf(estimate);
  expect(error.code).toBe('TOLLGATE_CONFIG_INVALID');
  expect(error.problems).toEqual([{ path, value, expected: expect.stringMatching(/./) }]);
  expect(error.message).toContain(`${path}: got `);
});

test('an estimate is told of beside all else that is wrong', () => {
  const wrong = { estimate: { outputTokens: -1 }, permits: -1 };
  expect(thrownBy(() => makeToll('small', wrong)).problems.map(({ path }) => path)).toEqual([
    'permits',
    'estimate.outputTokens',
  ]);
});

test.each([() => {}, 'chat', 10, null, []])('options are no %p', (options) => {
  const error = thrownBy(() => makeToll('small', options as object));
  expect(error.code).toBe('TOLLGATE_CONFIG_INVALID');
  expect(error.problems).toEqual([{ path: 'options', value: options, expected: expect.stringContaining('handler') }]);
});

test.each([undefined, {}, { outputTokens: 0 }, { inputTokens: 6, cachedInputTokens: 6, cacheWriteTokens: undefined }])(
  'an estimate may be %p',
  async (estimate) => {
    expect((await makeToll('small', { estimate }).facts({})).estimate).toEqual(estimate);
  },
);

test('what a function will give is not known before', () => {
  expect(makeToll('small', { estimate: () => ({ outputTokens: -1 }) }).open).toEqual(['estimate']);
});

test.each(['', 5, null, () => 'small'])('a default tier of %p is told of by its own name', (defaultTier) => {
  const { problems } = thrownBy(() =>
    createConduct(gateOf([]).gate, {} as never, { defaultTier: defaultTier as 'small' }),
  );
  expect(problems).toEqual([{ path: 'defaultTier', value: defaultTier, expected: "a tier's name" }]);
});
