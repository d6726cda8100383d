import { ended, spawnExample } from './example.js';

const ENTRY = 'demo/src/index.ts';

interface Totals {
  requests: number;
  admitted: number;
  refused: number;
  overBudget: number;
}

type Served = Record<string, number>;

interface Summary extends Totals {
  seed: number;
  seconds: number;
  reasons: Record<string, number>;
  layers: (Totals & { layer: string; mode: string; unit: string; nearest: { used: number; limit: number } })[];
  users: (Totals & { user: string; plan: string; features: Record<string, Totals>; models: Served })[];
  features: (Totals & { feature: string })[];
  plans: (Totals & { plan: string; models: Served })[];
  models: Served;
  settled: { succeeded: number; failed: number; ignored: number; unattended: number };
  tokens: { estimated: Tokens; actual: Tokens };
  clients: {
    requests: number;
    inFlight: number;
    statuses: Record<string, number>;
    left: number;
    brokenOff: number;
  };
  provider: { calls: number; failures: number; brokenOff: number; abandoned: number };
  budgets: { budget: string; key: string[]; limit: number; spent: number; billed: number; agrees: boolean }[];
  agrees: boolean;
}

interface Tokens {
  inputTokens: number;
  outputTokens: number;
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);

function total(parts: readonly Totals[]): Totals {
  return {
    requests: sum(parts.map(({ requests }) => requests)),
    admitted: sum(parts.map(({ admitted }) => admitted)),
    refused: sum(parts.map(({ refused }) => refused)),
    overBudget: sum(parts.map(({ overBudget }) => overBudget)),
  };
}

describe('--json', () => {
  let summary: Summary;
  let all: Totals;

  beforeAll(async () => {
    const { code, stdout, stderr } = await ended(spawnExample(ENTRY, ['--seconds', '8', '--seed', '348', '--json']));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    summary = JSON.parse(stdout);
    const { requests, admitted, refused, overBudget } = summary;
    all = { requests, admitted, refused, overBudget };
  }, 120_000);

  test('says what was run', () => {
    expect(summary.seed).toBe(348);
    expect(summary.seconds).toBeGreaterThanOrEqual(8);
    const limits = ['feature', 'global', 'tokens', 'trial', 'user'];
    const budgets = ['company-day', 'feature-day', 'user-day'];
    expect(summary.layers.map(({ layer }) => layer).sort()).toEqual([...limits, ...budgets].sort());
    expect(summary.features.map(({ feature }) => feature)).toEqual(['chat', 'summarise', 'embed']);
  });

  test('every request was admitted or refused, however they are counted', () => {
    expect(all.admitted).toBeGreaterThan(0);
    expect(all.requests).toBe(all.admitted + all.refused);
    for (const one of [...summary.layers, ...summary.users, ...summary.features, ...summary.plans]) {
      expect(one.requests).toBe(one.admitted + one.refused);
    }
    for (const layer of summary.layers) expect(layer.requests).toBe(all.requests);
    expect(total(summary.users)).toEqual(all);
    expect(total(summary.features)).toEqual(all);
    expect(total(summary.plans)).toEqual(all);
    for (const { features, ...user } of summary.users) expect(user).toMatchObject(total(Object.values(features)));
    expect(sum(Object.values(summary.reasons))).toBe(all.refused);
  });

  test('what the gate tells is what its clients saw', () => {
    const { requests, inFlight, statuses } = summary.clients;
    expect({ requests, inFlight }).toEqual({ requests: all.requests, inFlight: 0 });
    expect((statuses[200] ?? 0) + (statuses[502] ?? 0)).toBe(all.admitted);
    expect(statuses[402]).toBe(all.overBudget);
    expect((statuses[429] ?? 0) + (statuses[422] ?? 0)).toBe(all.refused - all.overBudget);
    expect(sum(Object.values(statuses))).toBe(all.requests);
  });

  test('whatever became of its calls, the provider bills what the books say, to the nano-dollar', () => {
    const { budgets, agrees } = summary;
    expect(agrees).toBe(true);
    for (const { spent, billed, agrees } of budgets)
      expect({ billed, agrees }).toEqual({ billed: spent, agrees: true });
    const spentBy = (name: string) => sum(budgets.filter(({ budget }) => budget === name).map(({ spent }) => spent));
    expect(spentBy('company-day')).toBeGreaterThan(0);
    expect(spentBy('feature-day')).toBe(spentBy('company-day'));
    expect(spentBy('user-day')).toBe(spentBy('company-day'));
  });

  test('every end that a request can come to is settled', () => {
    const { provider, clients, settled, features, tokens } = summary;
    expect(provider.calls).toBe(all.admitted);
    // With this seed all of it happens among the first calls, however fast the machine.
    expect(provider.failures).toBeGreaterThan(0);
    expect(clients.left).toBeGreaterThan(0);
    expect(clients.brokenOff).toBeGreaterThan(0);
    expect(settled.ignored).toBe(provider.failures);
    // A client may leave with the last words, of an answer that is whole.
    expect(provider.brokenOff).toBeGreaterThanOrEqual(clients.brokenOff);
    expect(settled.failed).toBeLessThanOrEqual(provider.brokenOff + clients.left);
    expect(settled.failed).toBeGreaterThanOrEqual(provider.brokenOff);
    expect(sum(Object.values(settled))).toBe(all.admitted);
    const embeddings = features.find(({ feature }) => feature === 'embed')?.admitted ?? 0;
    expect(settled.unattended).toBeGreaterThanOrEqual(embeddings - provider.failures);
    expect(settled.unattended).toBeLessThanOrEqual(embeddings);
    expect(tokens.estimated.outputTokens).toBeGreaterThan(tokens.actual.outputTokens);
  });

  test('who runs through a budget steps down the ladder, and is refused at the end', () => {
    const greedy = summary.users.find(({ user }) => user === 'greedy');
    for (const rung of ['sage-large', 'sage-medium', 'sage-small']) expect(greedy?.models[rung]).toBeGreaterThan(0);
    expect(greedy?.overBudget).toBeGreaterThan(0);
    for (const one of [...summary.users, ...summary.plans, summary]) {
      expect(sum(Object.values(one.models))).toBe(one.admitted);
    }
  });

  test('the greedy user is refused, and no limit on permits is passed', () => {
    const greedy = summary.users.find(({ user }) => user === 'greedy');
    expect(greedy?.admitted).toBeGreaterThan(0);
    expect(greedy?.refused).toBeGreaterThan(0);
    for (const { unit, nearest } of summary.layers) {
      expect(nearest.limit).toBeGreaterThan(0);
      if (unit === 'permits') expect(nearest.used).toBeLessThanOrEqual(nearest.limit);
    }
  });
});

test('where stdout is no terminal it writes plain lines, and sums up at the end', async () => {
  const { code, stdout, stderr } = await ended(spawnExample(ENTRY, ['--seconds', '1.5']));
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^ +1 s {2}\d+ requests, \d+ admitted, \d+ refused/);
  expect(stdout).toMatch(/\n\nSummary of [\d.]+ s, seed 1\n/);
  expect(stdout).toMatch(/agree to the nano-dollar\.\n$/);
  expect(stdout).not.toContain('\u001b');
  for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
}, 120_000);

test('ends and sums up when it is interrupted, also more than once', async () => {
  const child = spawnExample(ENTRY, []);
  const end = ended(child);
  child.stdout?.once('data', () => {
    child.kill('SIGINT');
    child.kill('SIGINT');
  });
  const { code, stdout } = await end;
  expect(code).toBe(0);
  expect(stdout).toContain('Summary of');
}, 120_000);

test.each([
  [['--help'], 0, 'stdout', '--seconds N'],
  [['--seconds', 'soon'], 2, 'stderr', "--seconds: got 'soon'"],
  [['--seconds', '0'], 2, 'stderr', "--seconds: got '0'"],
  [['--seed', '1.5'], 2, 'stderr', "--seed: got '1.5'"],
  [['--fast'], 2, 'stderr', '--fast'],
] as const)(
  '%j ends with %i and says so on %s',
  async (args, code, stream, text) => {
    const end = await ended(spawnExample(ENTRY, args));
    expect(end.code).toBe(code);
    expect(end[stream]).toContain(text);
  },
  120_000,
);
