/** What every code means is said in ERRORS.md, and of no others; and whatever bears one leads there. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ErrorCode, TollgateError } from '@tollgate/core';
import { warn } from '@tollgate/core/http';
import { ROOT } from './packing.js';

const CODE = /\bTOLLGATE_[A-Z_]+/g;

function codesOfSources(): Set<string> {
  const packages = join(ROOT, 'packages');
  const files = readdirSync(packages, { recursive: true, encoding: 'utf8' });
  const sources = files.filter((file) => /^\w+\/src\/.*\.ts$/.test(file));
  return new Set(sources.flatMap((file) => readFileSync(join(packages, file), 'utf8').match(CODE) ?? []));
}

const list = readFileSync(join(ROOT, 'packages/core/ERRORS.md'), 'utf8');

test('every code of an error or a warning is explained, once, and none that there is not', () => {
  const entries = [...list.matchAll(/^### `(TOLLGATE_\w+)`\n\n[A-Z`][^#]*\.\n\n\*\*What to do:\*\* \S[^#]*\.\n/gm)];
  const explained = entries.map(([, code]) => code);
  expect(explained.toSorted()).toEqual([...codesOfSources()].toSorted());
});

/** As GitHub makes them of headings: in lower case, and of the rest only letters, digits, `_` and `-`, a space being one. */
const anchors = [...list.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
  heading
    .toLowerCase()
    .replace(/[^\w -]/g, '')
    .replaceAll(' ', '-'),
);

test.each([...codesOfSources()])('%s leads to its place in the list', (code) => {
  const { help } = new TollgateError(code as ErrorCode, 'Wrong.');
  const [file, anchor] = help.split('#');
  expect(file).toBe('@tollgate/core/ERRORS.md');
  expect(anchors.filter((one) => one === anchor)).toHaveLength(1);
  const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
  warn(code, 'Strange.');
  expect(emitWarning).toHaveBeenCalledWith('Strange.', { type: 'TollgateWarning', code, detail: `See ${help}` });
  emitWarning.mockRestore();
});
