/**
 * Makes what is shipped of every package: `dist/NAME.cjs` with all of its code, and for each entry a module in `dist/esm` and
 * one in `dist/cjs` that hand on what is in there. `tsc -b` has checked the types before and left the declarations in
 * `dist/esm`.
 *
 * One file for both, since a function that is called from another module costs more: an import is looked up at each call,
 * and what esbuild makes of an import in CommonJS is slow enough to triple the cost of a decision. In the scope of one
 * CommonJS module a call is a call.
 */
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

/** Entries that do something as they are loaded, or bring along what few need. Each has a copy of the code that it uses. */
const APART = ['@tollgate/core/context', '@tollgate/upstream/prices'];

/** A script in Lua is imported as a module that has its text. */
const lua = {
  name: 'lua',
  setup({ onResolve }) {
    onResolve({ filter: /\.lua\.js$/ }, ({ path, resolveDir }) => ({ path: join(resolveDir, path.slice(0, -3)) }));
  },
};
const OPTIONS = {
  bundle: true,
  packages: 'external',
  platform: 'node',
  target: 'node20',
  loader: { '.lua': 'text' },
  plugins: [lua],
};

const packages = (await readdir(import.meta.dirname, { withFileTypes: true })).filter((entry) => entry.isDirectory());
for (const { name } of packages) await buildPackage(name, join(import.meta.dirname, name));

async function buildPackage(name, folder) {
  const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const entries = Object.entries(manifest.exports).flatMap(([path, { import: built }]) => {
    if (built === undefined) return [];
    return [entryOf(built.default, path === '.' ? 'index' : path.slice(2), manifest.name + path.slice(1))];
  });
  const commands = Object.values(manifest.bin ?? {}).map((built) => entryOf(built));
  const together = entries.filter(({ specifier }) => !APART.includes(specifier));
  const apart = entries.filter(({ specifier }) => APART.includes(specifier));

  await removeStale(folder);
  await bundleAll(together, folder, `dist/${name}.cjs`);
  for (const { name: entry, file, source } of together) {
    const exported = (await namesIn(join(folder, source))).join(', ');
    const bundle = `${'../'.repeat(file.split('/').length)}${name}.cjs`;
    await writeInto(
      join(folder, 'dist/esm', file),
      `import { ${entry} as entry } from '${bundle}';\nexport const { ${exported} } = entry;\n`,
    );
    await writeInto(join(folder, 'dist/cjs', file), `module.exports = { ...require('${bundle}').${entry} };\n`);
  }
  await bundleEach([...apart, ...commands], 'esm', folder);
  await bundleEach(apart, 'cjs', folder);
  const filter = (path) => !/\.(js|js\.map|tsbuildinfo)$/.test(path);
  await cp(join(folder, 'dist/esm'), join(folder, 'dist/cjs'), { recursive: true, filter });
  await writeInto(join(folder, 'dist/cjs/package.json'), '{ "type": "commonjs" }\n');
}

/** @param built where the manifest has it */
function entryOf(built, name, specifier) {
  const file = built.replace('./dist/esm/', '');
  return { name, specifier, file, source: `src/${file.replace(/\.js$/, '.ts')}` };
}

/** All that the entries export, each by its name. */
async function bundleAll(entries, folder, outfile) {
  const contents = entries.map(({ name, source }) => `export * as ${name} from './${source}';\n`).join('');
  const stdin = { contents, resolveDir: folder };
  await build({ ...OPTIONS, stdin, outfile: join(folder, outfile), format: 'cjs', sourcemap: true });
}

async function bundleEach(entries, format, folder) {
  const entryPoints = entries.map(({ source }) => join(folder, source));
  const outdir = join(folder, 'dist', format);
  await build({ ...OPTIONS, entryPoints, outdir, outbase: join(folder, 'src'), format, sourcemap: true });
}

/** What a module exports, types aside. */
async function namesIn(source) {
  const options = { ...OPTIONS, entryPoints: [source], format: 'esm', write: false, metafile: true };
  const { metafile } = await build(options);
  return Object.values(metafile.outputs)[0].exports;
}

/** Removes all but the declarations; of those, what there is no source for any more: it would be shipped. */
async function removeStale(folder) {
  const esm = join(folder, 'dist', 'esm');
  await rm(join(folder, 'dist', 'cjs'), { recursive: true, force: true });
  for (const file of await readdir(esm, { recursive: true })) {
    const source = join(folder, 'src', file.replace(/\.d\.ts$/, '.ts'));
    const isStale = file.endsWith('.d.ts') ? !existsSync(source) : /\.js(\.map)?$/.test(file);
    if (isStale) await rm(join(esm, file));
  }
}

async function writeInto(file, text) {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}
