/** What the READMEs show compiles, in the strictest of settings, and runs, against the packages as they were built. */
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeWithRedis, useRedis } from '../helpers/redis-server.js';
import { ROOT, run, tool } from './packing.js';

const FOLDER = join(ROOT, 'test/node_modules/.cache/readme');

const OPTIONS = {
  module: 'nodenext',
  target: 'es2023',
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  types: ['node'],
};

/** Whatever a README takes for granted. */
const STAND_INS = {
  express:
    'ask, chat, embed, gate, handler, health, identify, job, keyVault, limits, llm, makeReport, newApp, queue, router, secretManager, secretsManager, summarize',
  fastify: 'gate, handler, newApp',
};

describeWithRedis('the code in the READMEs', () => {
  const redis = useRedis();
  let files: string[];

  beforeAll(async () => {
    await rm(FOLDER, { recursive: true, force: true });
    await mkdir(FOLDER, { recursive: true });
    await cp(join(__dirname, 'readme'), FOLDER, { recursive: true });
    await writeFile(join(FOLDER, 'package.json'), '{ "type": "module" }');
    await writeFile(join(FOLDER, 'tsconfig.json'), JSON.stringify({ compilerOptions: OPTIONS, include: ['*.ts'] }));
    files = await readmes();
    const found = await Promise.all(
      (await readmes()).map(async (file) => ({ file, blocks: blocksOf(await readFile(join(ROOT, file), 'utf8')) })),
    );
    const shown = found.filter(({ blocks }) => blocks.length > 0);
    files = shown.map(({ file }) => file);
    for (const [i, { file, blocks }] of shown.entries()) {
      await writeFile(join(FOLDER, `${i}.ts`), `// ${file}\n${moduleOf(blocks, file.includes('fastify'))}`);
    }
  });

  test('compiles', async () => {
    expect(files.length).toBeGreaterThan(7);
    expect((await tool('typescript', 'bin/tsc', ['-p', FOLDER], ROOT)).stdout).toBe('');
  }, 120_000);

  test('runs', async () => {
    const running = files.map((_, i) =>
      run(process.execPath, ['--import', 'tsx', 'run.ts', `./${i}.ts`], FOLDER, {
        REDIS_URL: redis(),
        NODE_NO_WARNINGS: '1',
      }),
    );
    const ended = await Promise.all(running);
    const failed = ended.map(({ code, stderr }, i) => (code === 0 ? '' : `${files[i]}: ${stderr}`));
    expect(failed.filter((text) => text !== '')).toEqual([]);
  }, 120_000);
});

async function readmes(): Promise<string[]> {
  const inside = ['packages', 'examples'].map(async (folder) => {
    const entries = await readdir(join(ROOT, folder), { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => `${folder}/${name}/README.md`);
  });
  return ['README.md', ...(await Promise.all(inside)).flat()];
}

function blocksOf(markdown: string): string[] {
  return [...markdown.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => code);
}

/** Imports go to the top, those of one module together; the rest of a block is a function of its own, with an app of its own. */
function moduleOf(blocks: readonly string[], isFastify: boolean): string {
  const imported = new Map<string, Set<string>>();
  const bodies = blocks.map((block, i) => {
    const body = block.replace(
      /^import (type )?(.+?) from '(.+?)';$/gms,
      (_, type = '', what: string, from: string) => {
        const names = imported.get(from) ?? new Set();
        imported.set(from, names);
        const isDefault = !what.startsWith('{');
        for (const name of what.replace(/[{}]/g, '').split(',')) {
          names.add(`${isDefault ? 'default as ' : type}${name.trim()}`);
        }
        return '';
      },
    );
    const inside = body.replace(/^export (default|const keys =) /m, 'const exported = ');
    return `export function block${i}() {\nconst app = newApp();\nreturn (async () => {\n${inside}\n})();\n}`;
  });
  const imports = [...imported].map(([from, names]) => {
    const module = from === 'ioredis' ? './redis.js' : from;
    return `import { ${[...names].join(', ')} } from '${module}';`;
  });
  const standIns = isFastify
    ? `import { ${STAND_INS.fastify} } from './fastify-app.js';`
    : `import { ${STAND_INS.express} } from './app.js';`;
  return [...imports, standIns, ...bodies].join('\n');
}
