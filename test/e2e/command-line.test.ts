/** The command line as it was built: what it prints, and how it ends. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, run, writeFiles } from './packing.js';

const CLI = join(ROOT, 'packages/tollgate/dist/esm/cli.js');
const CONFIG = `
export default {
  limits: [{ kind: 'slidingWindow', name: 'user', by: 'user', limit: 10 as number, window: '1m' }],
};
`;
const REQUESTS = { kind: 'slidingWindow', name: 'r', by: 'user', unit: 'requests', limit: 10, window: '1m' };
const REQUEST = { subject: { user: 'ann' }, tier: 'large' };

/** In the workspace, so that configurations find its packages. */
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-cli-'));
  const lines = [0, 1000].flatMap((at, i) => [
    { at, event: 'asked', id: `${i}`, kind: 'request', request: REQUEST },
    { at, event: 'admitted', id: `${i}`, waitedMs: 0 },
  ]);
  await writeFiles(folder, {
    'limits.ts': CONFIG,
    'wrong.json': '{ "limits": [{ "kind": "slidingWindow", "name": "user", "limit": -5, "window": "1m" }] }',
    'requests.json': JSON.stringify({ limits: [REQUESTS] }),
    'gate.mjs': 'export default { admit() {}, decide() {} };',
    'broken.ts': 'export default {',
    'traffic.jsonl': lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
    'access.log': '::1 - ann [10/Oct/2026:13:55:36 -0700] "POST /chat HTTP/1.1" 200 2326\n',
    'map.ts': "export const map = ({ user }: { user: string }) => ({ subject: { user }, tier: 'xlarge' });",
  });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const tollgate = (...args: string[]) => run(process.execPath, [CLI, ...args], folder);

test('check says what will surprise', async () => {
  const { code, stdout, stderr } = await tollgate('check', 'limits.ts');
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain('limits.ts is valid. What may surprise:\n');
  expect(stdout).toContain("  tiers.xlarge: It costs 30, and 'user' holds 10 permits:");
});

test('check says what is wrong, without a stack, and ends with 1', async () => {
  const { code, stdout, stderr } = await tollgate('check', 'wrong.json');
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/^Tollgate's configuration has a problem:\n {2}limits\[0\]\.limit: got -5; expected .*\n$/);
});

test.each([
  ['missing.ts', /^missing\.ts can't be loaded: /],
  ['broken.ts', /^broken\.ts can't be loaded: /],
  ['gate.mjs', /^gate\.mjs exports a gate\./],
  ['map.ts', /^map\.ts has no configuration: /],
])('%s is no configuration, and the command says why', async (file, why) => {
  const { code, stderr } = await tollgate('check', file);
  expect(code).toBe(1);
  expect(stderr).toMatch(why);
  expect(stderr).not.toMatch(/ {4}at |Require stack/);
});

test('explain says what would become of a request', async () => {
  expect((await tollgate('explain', 'limits.ts', '--user', 'ann', '--tier', 'large')).stdout).toContain(
    'It would be admitted.\n',
  );
  expect((await tollgate('explain', 'limits.ts', '--user', 'ann', '--permits', '11')).stdout).toContain(
    'It would be refused with status 422: ',
  );
  const wrong = await tollgate('explain', 'limits.ts', '--permits', 'many');
  expect(wrong).toEqual({
    code: 1,
    stdout: '',
    stderr: "--permits: got 'many'; expected a number of permits, 0 or more\n",
  });
});

test('explain without a cost names the options that tell it', async () => {
  expect(await tollgate('explain', 'limits.ts', '--user', 'ann')).toEqual({
    code: 1,
    stdout: '',
    stderr: 'explain: got no cost; expected --permits, or --tier with one of small, medium, large, xlarge\n',
  });
});

test('explain needs no cost where no permits count', async () => {
  const { stdout } = await tollgate('explain', 'requests.json', '--user', 'ann');
  expect(stdout).toContain('It would be admitted.\n');
});

test('its version is that of the package', async () => {
  const { version } = JSON.parse(await readFile(join(ROOT, 'packages/tollgate/package.json'), 'utf8'));
  expect(await tollgate('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
});

test.each(['explain', 'keys create'])('the help of %s tells what each option is', async (command) => {
  const { stdout } = await tollgate(...command.split(' '), '--help');
  const options = stdout.match(/^ {2}-.*$/gm) ?? [];
  expect(options.length).toBeGreaterThan(10);
  for (const option of options) expect(option).toMatch(/^ {2}-\S+( <\S+>|, --help)? {2,}\S/);
});

test('inspect shows how limits stand', async () => {
  const shown = await tollgate('inspect', 'limits.ts', '--user', 'ann');
  expect(shown.stdout).toMatch(/^layer +key +unit +used +limit +left +more in\nuser +ann +permits +0 +10 +10 /m);
  const { stdout } = await tollgate('inspect', 'limits.ts', '--user', 'ann', '--json');
  expect(JSON.parse(stdout).limits).toMatchObject([{ layer: 'user', key: ['ann'], used: 0, limit: 10 }]);
});

test('replay prints the table of the README', async () => {
  const { code, stdout, stderr } = await tollgate('replay', 'limits.ts', 'traffic.jsonl');
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toBe(`2 requests in 1 s

  admitted   1 (50 %)
  refused    1 (50 %)

By layer

layer  refused  delayed  refused on trial
user         1        0                 0

Why requests were refused

reason  requests
limit          1

Answered otherwise than in the log

change                      requests
admitted → refused by user         1
`);
});

test('replay takes an access log with a mapping, and prints JSON', async () => {
  const { stdout } = await tollgate('replay', 'limits.ts', 'access.log', '--map', 'map.ts', '--json');
  expect(JSON.parse(stdout)).toMatchObject({ asked: 1, refused: 1, reasons: { 'too-costly': 1 } });
});

test.each([
  [['replay', 'limits.ts', 'nothing.jsonl'], /^nothing\.jsonl can't be read: /],
  [['replay', 'limits.ts', 'access.log'], /^Line 1 is not recorded traffic: /],
  [['replay', 'limits.ts', 'access.log', '--map', 'limits.ts'], /^limits\.ts has no mapping: /],
  [['fly'], /unknown command 'fly'/],
])('%j ends with 1, and says why', async (args, why) => {
  const { code, stderr } = await tollgate(...args);
  expect(code).toBe(1);
  expect(stderr).toMatch(why);
});
