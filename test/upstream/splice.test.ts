/** Bodies that are changed where they have to be, and nowhere else. */
import fc from 'fast-check';
import { spliced } from '../../packages/upstream/src/splice.js';
import { check } from '../helpers/oracle-log.js';

const key = fc.oneof(
  fc.constantFrom('a', 'b', 'model', 'stream_options', '', '"', '\\', '__proto__', '},{'),
  fc.string(),
);
const object = fc.dictionary(key, fc.jsonValue(), { noNullPrototype: true });
/** As JSON has it: a member of that name is one like any other. */
const json = (value: object): Record<string, unknown> => JSON.parse(JSON.stringify(value));

it('says the same as if it were written anew', () =>
  check(
    fc.property(object, object, fc.array(key), fc.constantFrom(undefined, 1, '\t\n'), (one, changes, gone, indent) => {
      const text = JSON.stringify(one, null, indent);
      const before: Record<string, unknown> = JSON.parse(text);
      const after = { ...before, ...json(changes) };
      for (const name of gone) delete after[name];
      expect(JSON.parse(spliced(text, before, after))).toEqual(json(after));
    }),
    2_000,
  ));

it('leaves what is the same as it was written, and the last of two of one name holds', () => {
  const text = '{ "seed" : 9007199254740993, "t": 1.0, "m": ["},{\\\\", {"x":1e400}], "model":"a", "model" : "b" }';
  const before = JSON.parse(text);
  expect(
    spliced(text, before, { ...before, model: 'c', stream_options: { include_usage: true }, none: undefined }),
  ).toBe(
    '{ "seed" : 9007199254740993, "t": 1.0, "m": ["},{\\\\", {"x":1e400}],"model":"c","stream_options":{"include_usage":true}}',
  );
  expect(spliced('{}', {}, { a: 1 })).toBe('{"a":1}');
});
