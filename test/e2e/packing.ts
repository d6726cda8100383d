/** Packs the packages, and installs what was packed as a package manager would, but for what the workspace has already. */
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

export const ROOT = join(__dirname, '..', '..');

/** Their folders: of all but one, the names without their scope. */
export const PACKAGES = readdirSync(join(ROOT, 'packages'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly exports?: Record<string, string | Record<'import' | 'require', { readonly default: string }>>;
  readonly bin?: Record<string, string>;
  readonly dependencies?: Record<string, string>;
  readonly peerDependencies?: Record<string, string>;
}

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function run(command: string, args: readonly string[], cwd: string, more?: NodeJS.ProcessEnv): Promise<Ended> {
  // The workspace's tools are started with a path that would lead to modules which no one has installed.
  const env = { ...process.env, NODE_OPTIONS: '', NODE_PATH: '', NO_COLOR: '1', ...more };
  return new Promise((resolve) => {
    execFile(command, args, { cwd, env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) || 1 : 0, stdout, stderr });
    });
  });
}

/** Runs a tool of the workspace. */
export function tool(name: string, file: string, args: readonly string[], cwd: string): Promise<Ended> {
  return run(process.execPath, [join(ROOT, 'node_modules', name, file), ...args], cwd);
}

/** What it wrote to stdout. */
export async function succeeded(ending: Promise<Ended>): Promise<string> {
  const { code, stdout, stderr } = await ending;
  if (code !== 0) throw new Error(`Ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
}

/** Packs all packages at once. */
export async function packAll(destination: string): Promise<void> {
  const args = ['--filter', './packages/*', 'pack', '--pack-destination', destination];
  const running = process.env.npm_execpath ?? '';
  if (basename(running).startsWith('pnpm')) await succeeded(run(running, args, ROOT));
  else await succeeded(run('npx', ['-y', 'pnpm@12', ...args], ROOT));
}

export async function tarballOf(folder: string, packed: string): Promise<string> {
  const { name, version } = await manifestOf(join(ROOT, 'packages', folder));
  return join(packed, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`);
}

/** Where a package of the workspace is, once it is installed in a project. */
export function installedIn(project: string, name: string): string {
  return join(project, 'node_modules', ...(name === 'tollgate' ? [] : ['@tollgate']), name);
}

export async function manifestOf(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
}

/**
 * Unpacks packages into a new project, with what their own manifests say that they need and nothing else, so that whatever
 * they import beyond that is missing.
 */
export async function install(project: string, names: readonly string[], packed: string): Promise<void> {
  const modules = join(project, 'node_modules');
  // What a package needs, and what every app in TypeScript has.
  const links = new Map([['@types/node', join(ROOT, 'node_modules', '@types', 'node')]]);
  for (const name of names) {
    const folder = installedIn(project, name);
    await mkdir(folder, { recursive: true });
    await succeeded(run('tar', ['-xzf', await tarballOf(name, packed), '-C', folder, '--strip-components=1'], project));
    const { dependencies, peerDependencies } = await manifestOf(folder);
    for (const needed of Object.keys({ ...dependencies, ...peerDependencies })) {
      if (!needed.startsWith('@tollgate/')) links.set(needed, join(ROOT, 'packages', name, 'node_modules', needed));
    }
  }
  for (const [name, target] of links) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(target, join(modules, name), 'junction');
  }
}

export async function writeFiles(folder: string, files: Record<string, string>): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
}
