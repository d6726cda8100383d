/**
 * Makes `dist/esm` and `dist/cjs` of every package: each source file on its own, so that all entries of a package share
 * one copy of every module. `tsc -b` has checked the types before and left the declarations in `dist/esm`.
 */
import { cp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = import.meta.dirname;
const packages = (await readdir(root, { withFileTypes: true })).filter((entry) => entry.isDirectory());

for (const { name } of packages) {
  const src = join(root, name, 'src');
  const esm = join(root, name, 'dist', 'esm');
  const cjs = join(root, name, 'dist', 'cjs');
  const files = await readdir(src, { recursive: true });
  const entryPoints = files.filter((file) => file.endsWith('.ts')).map((file) => join(src, file));
  // A script in Lua becomes a module of the same name, which has its text.
  const scripts = files.filter((file) => file.endsWith('.lua')).map((file) => ({ in: join(src, file), out: file }));

  await rm(cjs, { recursive: true, force: true });
  await removeStale(esm, new Set(files));
  for (const [format, outdir] of [
    ['esm', esm],
    ['cjs', cjs],
  ]) {
    const options = { outdir, format, platform: 'node', target: 'node20' };
    await build({ ...options, entryPoints, outbase: src, sourcemap: true });
    await build({ ...options, entryPoints: scripts, loader: { '.lua': 'text' } });
  }
  await cp(esm, cjs, { recursive: true, filter: (path) => !/\.(js|js\.map|tsbuildinfo)$/.test(path) });
  await writeFile(join(cjs, 'package.json'), '{ "type": "commonjs" }\n');
}

/** Removes what was made of sources that are no longer there: it would be shipped. */
async function removeStale(folder, sources) {
  for (const file of await readdir(folder, { recursive: true })) {
    const source = file.replace(/\.(js|js\.map|d\.ts)$/, '.ts');
    if (source !== file && !sources.has(source)) await rm(join(folder, file));
  }
}
