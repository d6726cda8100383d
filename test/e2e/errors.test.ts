/** What every code means is said in ERRORS.md, and of no others. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './packing.js';

const CODE = /\bTOLLGATE_[A-Z_]+/g;

function codesOfSources(): Set<string> {
  const packages = join(ROOT, 'packages');
  const files = readdirSync(packages, { recursive: true, encoding: 'utf8' });
  const sources = files.filter((file) => /^\w+\/src\/.*\.ts$/.test(file));
  return new Set(sources.flatMap((file) => readFileSync(join(packages, file), 'utf8').match(CODE) ?? []));
}

test('every code of an error or a warning is explained, once, and none that there is not', () => {
  const list = readFileSync(join(ROOT, 'packages/core/ERRORS.md'), 'utf8');
  const explained = [...list.matchAll(/^\| `(TOLLGATE_\w+)` +\| \S.*? +\| \S.*? +\|$/gm)].map(([, code]) => code);
  expect(explained.toSorted()).toEqual([...codesOfSources()].toSorted());
});
