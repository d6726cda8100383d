/** What the packages are once they are packed and installed: from CommonJS, ES modules, TypeScript and Jest. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Ended,
  install,
  installedIn,
  manifestOf,
  PACKAGES,
  packAll,
  ROOT,
  run,
  succeeded,
  tarballOf,
  tool,
  writeFiles,
} from './packing.js';

/** The packages that have a part in one gate. */
const GATES = ['core', 'express', 'fastify', 'koa'];

const CONSUMERS = join(__dirname, 'consumers');

/** Runs what the consumer's app was compiled to, from either kind of module. */
const visits = (file: string) =>
  `import('./${file}').then(({ run }) => run()).then((answers) => console.log(JSON.stringify(answers)))`;

/** Entries of which each kind of module has a copy. Of all others there is one. */
const COPIED = ['@tollgate/core/context', '@tollgate/upstream/prices'];

/** What a module exports as `then` would be called by `import()`, as of a promise. */
const loads = (specifier: string) =>
  `const assert = require('node:assert');
  const names = (module) => Object.keys(module).filter((name) => name !== 'default' && name !== 'module.exports').sort();
  const required = require('${specifier}');
  import('${specifier}').then((imported) => {
    assert.deepEqual(names(imported), names(required));
    if (!${COPIED.includes(specifier)}) for (const name of names(required)) assert.equal(imported[name], required[name]);
    process.stdout.write('alike');
  });`;

const JEST_TEST = `
const { run } = require('./app.cjs');
test('answers, then refuses', async () => expect(await run()).toEqual([200, 429]));
`;

/** Ways to compile an app. Both kinds of module, which resolve the packages each for itself, are one program: most of what it checks is theirs alike. */
const MODULES = ['nodenext', 'node16'];
const APPS = MODULES.flatMap((module) => ['cjs', 'mjs'].map((kind) => ({ module, kind })));

/** What the packages declare is checked as well, in the strictest of settings. */
const COMPILER_OPTIONS = {
  target: 'es2022',
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  types: ['node'],
};

let temp: string;
let packed: string;

/** The project that an adapter, or core alone, is installed in. */
const projectOf = (name: string) => join(temp, name);
const packageOf = (name: string) => installedIn(projectOf(name), name);

beforeAll(async () => {
  temp = await mkdtemp(join(tmpdir(), 'tollgate-packages-'));
  packed = join(temp, 'packed');
  await writeFiles(packed, {});
  await packAll(packed);
  for (const name of PACKAGES) await writeFiles(projectOf(name), {});
  await Promise.all(PACKAGES.map((name) => install(projectOf(name), [...new Set(['core', name])], packed)));
}, 120_000);

afterAll(() => rm(temp, { recursive: true, force: true }), 60_000);

describe.each(PACKAGES)('the package %s', (name) => {
  let compiled: Ended;
  beforeAll(async () => {
    compiled = await compileApps(name);
  }, 120_000);

  test('ships what was built, what it is and its license, and nothing else', async () => {
    const files = await filesIn(packageOf(name));
    // Errors and warnings of all packages lead to that of core.
    const texts = [...(name === 'core' ? ['ERRORS.md'] : []), 'LICENSE', 'README.md', 'package.json'];
    expect(files.filter((file) => !file.startsWith('dist/')).sort()).toEqual(texts);
    const sources = await filesIn(join(ROOT, 'packages', name, 'src'));
    const declarations = sources.flatMap((file) => (file.endsWith('.ts') ? [file.replace(/\.ts$/, '.d.ts')] : []));
    const { exports = {}, bin = {} } = await manifestOf(packageOf(name));
    const entries = Object.values(exports).flatMap((entry) =>
      typeof entry === 'string' ? [] : [entry.import.default, entry.require.default],
    );
    const built = [
      ...['cjs', 'esm'].flatMap((build) => declarations.map((file) => `dist/${build}/${file}`)),
      ...[...entries, ...Object.values(bin)].map((file) => file.replace(/^\.\//, '')),
      `dist/${name}.cjs`,
      'dist/cjs/package.json',
    ];
    expect(files.filter((file) => file.startsWith('dist/') && !file.endsWith('.map')).sort()).toEqual(built.sort());
  });

  test('has source maps that bring their sources', async () => {
    const maps = (await filesIn(packageOf(name))).filter((file) => file.endsWith('.map'));
    for (const map of maps) {
      const { sources, sourcesContent } = JSON.parse(await readFile(join(packageOf(name), map), 'utf8'));
      expect([map, sourcesContent?.length]).toEqual([map, sources.length]);
    }
  });

  test('depends on versions that a registry has', async () => {
    const { license, dependencies, peerDependencies } = await manifestOf(packageOf(name));
    expect(license).toBe('MIT');
    const { version } = await manifestOf(join(projectOf(name), 'node_modules', '@tollgate', 'core'));
    for (const range of Object.values({ ...dependencies, ...peerDependencies })) expect(range).toMatch(/^(\^|>=)\d/);
    if (name !== 'core') expect(peerDependencies?.['@tollgate/core']).toBe(`^${version}`);
  });

  test('is loaded alike by require() and by import(), whichever entry', async () => {
    const { name: specifier, exports = {} } = await manifestOf(packageOf(name));
    const entries = Object.keys(exports).filter((entry) => !entry.endsWith('.json'));
    for (const entry of entries) {
      const load = loads(join(specifier, entry));
      expect([entry, await succeeded(run(process.execPath, ['-e', load], projectOf(name)))]).toEqual([entry, 'alike']);
    }
  });

  test('compiles in TypeScript', () => expect(compiled).toEqual({ code: 0, stdout: '', stderr: '' }));

  test.each(APPS)(
    'runs as $kind, compiled as $module',
    async ({ module, kind }) => {
      const running = run(process.execPath, ['-e', visits(`app.${kind}`)], join(projectOf(name), module));
      expect(await succeeded(running)).toBe('[200,429]\n');
    },
    120_000,
  );

  test('runs under Jest in CommonJS without configuration', async () => {
    const folder = join(projectOf(name), 'nodenext');
    await writeFiles(folder, { 'app.test.js': JEST_TEST });
    const result = await succeeded(tool('jest', 'bin/jest.js', ['--ci', '--json', '--watchman=false'], folder));
    expect(JSON.parse(result)).toMatchObject({ success: true, numPassedTests: 1 });
  }, 120_000);

  test('is clean to publint', async () => {
    const tarball = await tarballOf(name, packed);
    expect(await succeeded(tool('publint', 'src/cli.js', ['run', tarball, '--strict'], temp))).toContain('All good!');
  }, 120_000);

  test('is clean to attw', async () => {
    const tarball = await tarballOf(name, packed);
    await succeeded(tool('@arethetypeswrong/cli', 'dist/index.js', [tarball, '--no-definitely-typed'], temp));
  }, 120_000);
});

test('two copies in one process share gates, tolls and the current admission', async () => {
  const project = join(temp, 'two-copies');
  await writeFiles(project, { 'app.cjs': await readFile(join(CONSUMERS, 'two-copies.cjs'), 'utf8') });
  await install(project, GATES, packed);
  const answers = JSON.parse(await succeeded(run(process.execPath, ['app.cjs'], project)));
  const either = { cjs: [200, 429], esm: [200, 429] };
  expect(answers).toEqual(Object.fromEntries(GATES.map((name) => [name, either])));
}, 120_000);

/** One app, in as many projects as there are ways to compile it. */
async function compileApps(name: string): Promise<Ended> {
  const app = await readFile(join(CONSUMERS, `${name}.ts`), 'utf8');
  for (const module of MODULES) {
    const compilerOptions = { ...COMPILER_OPTIONS, module };
    await writeFiles(join(projectOf(name), module), {
      'app.cts': app,
      'app.mts': app,
      'package.json': '{}',
      'tsconfig.json': JSON.stringify({ compilerOptions, files: ['app.cts', 'app.mts'] }),
    });
  }
  return tool('typescript', 'bin/tsc', ['-b', ...MODULES], projectOf(name));
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll('\\', '/'),
    );
}
