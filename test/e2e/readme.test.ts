/** What the READMEs show compiles, in the strictest of settings, against the packages as they were built. */
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(__dirname, '../..');

/** What an app has that a README takes for granted. */
const APP = `
import type { Express, RequestHandler, Router as ExpressRouter } from 'express';
import type { Limit, Tollgate } from '@tollgate/core';
declare global {
  namespace Express {
    interface Request { user: { id: string; plan: string } }
  }
}
declare const app: Express, router: ExpressRouter, gate: Tollgate, limits: Limit[];
declare const ask: RequestHandler, chat: RequestHandler, embed: RequestHandler, handler: RequestHandler, health: RequestHandler, summarize: RequestHandler;
declare const llm: {
  chat(body: unknown, options: { signal: AbortSignal | undefined }): Promise<{ usage: { input: number; output: number } }>;
};
declare const queue: { add(job: { admission: string | undefined }): Promise<void> }, job: { admission: string };
declare function identify(): { user: string };
/** As far as it matters here, what the SDKs of secrets managers have. */
declare const secretsManager: { getSecretValue(input: { SecretId: string }): Promise<{ SecretString?: string }> };
declare const secretManager: {
  accessSecretVersion(request: { name: string }): Promise<[{ payload?: { data?: Uint8Array | string | null } | null }]>;
};
declare const keyVault: { getSecret(name: string): Promise<{ value?: string }> };
declare function makeReport(): Promise<void>;
`;

const FASTIFY_APP = `
import type { FastifyInstance, RouteHandlerMethod } from 'fastify';
import type { Tollgate } from '@tollgate/core';
declare module 'fastify' {
  interface FastifyRequest { user: { id: string } }
}
declare const app: FastifyInstance, gate: Tollgate, handler: RouteHandlerMethod;
`;

const OPTIONS = {
  module: 'nodenext',
  target: 'es2023',
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  types: ['node'],
};

test('the code in the READMEs compiles', async () => {
  const folder = join(ROOT, 'test/node_modules/.cache/readme');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: OPTIONS, include: ['*.ts'] }));
  let blocks = 0;
  for (const [i, readme] of (await readmes()).entries()) {
    const found = blocksOf(await readFile(join(ROOT, readme), 'utf8'));
    blocks += found.length;
    const app = readme.includes('fastify') ? FASTIFY_APP : APP;
    await writeFile(join(folder, `${i}.ts`), `// ${readme}\n${moduleOf(found, app)}`);
  }
  expect(blocks).toBeGreaterThan(7);
  expect(await compile(folder)).toBe('');
}, 60_000);

async function readmes(): Promise<string[]> {
  const packages = await readdir(join(ROOT, 'packages'), { withFileTypes: true });
  const folders = packages.filter((entry) => entry.isDirectory()).map(({ name }) => `packages/${name}`);
  return ['README.md', ...folders.map((folder) => `${folder}/README.md`)];
}

function blocksOf(markdown: string): string[] {
  return [...markdown.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => code);
}

/** Imports go to the top, where several blocks may share one; the rest of a block stands in a function of its own. */
function moduleOf(blocks: readonly string[], app: string): string {
  const lines = blocks.map((block) => block.split('\n'));
  const isImport = (line: string) => line.startsWith('import ');
  const imports = new Set(lines.flat().filter(isImport));
  const bodies = lines.map((block, i) => {
    const body = block.filter((line) => !isImport(line)).join('\n');
    return `export async function block${i}() {\n${body.replace(/^export (default|const keys =) /m, 'const exported = ')}\n}`;
  });
  return [...imports, app, ...bodies].join('\n');
}

/** What the compiler has to say. */
async function compile(folder: string): Promise<string> {
  try {
    await promisify(execFile)(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder]);
    return '';
  } catch (error) {
    return (error as { stdout: string }).stdout || String(error);
  }
}
