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
import { dirname, join, relative } from 'node:path';
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
  const dist = join(folder, 'dist');
  const sourceOf = (entry) => join(folder, 'src', entry.replace(/\.js$/, '.ts'));
  const exported = Object.entries(manifest.exports).flatMap(([entry, { import: built }]) =>
    built === undefined ? [] : [[join(manifest.name, entry), relative('dist/esm', built.default)]],
  );
  const together = exported.flatMap(([specifier, entry]) => (APART.includes(specifier) ? [] : [entry]));
  const apart = exported.flatMap(([specifier, entry]) => (APART.includes(specifier) ? [entry] : []));
  const commands = Object.values(manifest.bin ?? {}).map((built) => relative('dist/esm', built));

  await removeStale(folder);
  const bundle = join(dist, `${name}.cjs`);
  await bundleAll(together.map(sourceOf), bundle);
  const names = await Promise.all(together.map((entry) => namesIn(sourceOf(entry))));
  for (const [i, entry] of together.entries()) {
    const [esm, cjs] = ['esm', 'cjs'].map((format) => join(dist, format, entry));
    await writeInto(
      esm,
      `import all from '${pathTo(bundle, esm)}';\nexport const { ${names[i].join(', ')} } = all.entry${i};\n`,
    );
    await writeInto(cjs, `module.exports = { ...require('${pathTo(bundle, cjs)}').entry${i} };\n`);
  }
  await bundleEach([...apart, ...commands].map(sourceOf), 'esm', folder);
  await bundleEach(apart.map(sourceOf), 'cjs', folder);
  const filter = (path) => !/\.(js|js\.map|tsbuildinfo)$/.test(path);
  await cp(join(dist, 'esm'), join(dist, 'cjs'), { recursive: true, filter });
  await writeInto(join(dist, 'cjs', 'package.json'), '{ "type": "commonjs" }\n');
}

/** All that the entries export, each as `entry0`, `entry1` … */
async function bundleAll(entries, outfile) {
  const contents = entries.map((entry, i) => `export * as entry${i} from '${entry}';\n`).join('');
  const stdin = { contents, resolveDir: dirname(outfile) };
  await build({ ...OPTIONS, stdin, outfile, format: 'cjs', sourcemap: true });
}

async function bundleEach(entryPoints, format, folder) {
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

function pathTo(file, from) {
  return relative(dirname(from), file);
}
