import { once } from 'node:events';
import {
  type Budget,
  type BudgetAlert,
  budget,
  createTollgate,
  slidingWindow,
  type TollgateConfig,
  type TollgateEvents,
} from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import { closeServers, deferred, listen, portOf, quiet } from '../helpers/http-server.js';
import { gateOf, START, thrownBy, warnings } from './support.js';

const DAY = 86_400_000;
/** In nano-dollars. */
const $ = (dollars: number) => dollars * 1e9;

const user = budget({ name: 'user', by: 'user', limit: '$5', per: 'day' });
const company = budget({ name: 'company', limit: '$500', per: 'month' });

const PRICES = { opus: { input: '$5/M', output: '$25/M' }, haiku: { input: '$1/M', output: '$5/M' } } as const;

afterEach(async () => {
  jest.restoreAllMocks();
  await closeServers();
});

type More = Omit<TollgateConfig, 'limits' | 'budgets' | 'clock'>;

/** A gate with budgets alone, and what they tell. Its log is silent unless it is given. */
function budgeted(budgets: readonly Budget[], more: More = {}) {
  const { gate, ...rest } = gateOf([], { alerts: { log: false }, ...more, budgets });
  const alerts: BudgetAlert[] = [];
  const credited: TollgateEvents['budget.credited'][] = [];
  gate.on('budget.threshold', (alert) => alerts.push(alert));
  gate.on('budget.credited', (event) => credited.push(event));
  const asked = (usd: `$${number}`, who = 'ann') => ({ subject: { user: who }, permits: 0, usd });
  return {
    gate,
    ...rest,
    alerts,
    credited,
    told: () => alerts.map(({ budget, key, threshold }) => [budget, ...key, threshold]),
    spend: (usd: `$${number}`, who?: string) => rest.admission(asked(usd, who)),
    refused: (usd: `$${number}`, who?: string) => rest.refusal(asked(usd, who)),
  };
}

describe('topUp', () => {
  test('gives one key of one budget more room, until its period ends', async () => {
    const { gate, clock, spend, refused, credited } = budgeted([user, company]);
    await spend('$5');
    await spend('$5', 'bob');
    await refused('$1');
    const state = await gate.topUp('user', { user: 'ann' }, '$2');
    const figures = { layer: 'user', key: ['ann'], used: $(5), limit: $(7), remaining: $(2), resetsAt: START + DAY };
    expect(state).toMatchObject(figures);
    const whom = { user: 'ann' };
    expect(credited).toEqual([{ gate: 'default', by: 'topUp', whom, amount: $(2), budget: state }]);
    expect((await gate.inspect({ user: 'ann' })).budgets).toMatchObject([figures, { layer: 'company', limit: $(500) }]);
    await spend('$2');
    await refused('$0.000000001');
    await refused('$0.000000001', 'bob');
    clock.advance(DAY);
    await spend('$5');
    await refused('$0.000000001');
  });

  test('adds up, and needs nothing to have been spent', async () => {
    const { gate, spend } = budgeted([user]);
    await gate.topUp('user', { user: 'ann' }, '$2');
    expect(await gate.topUp('user', { user: 'ann' }, '$0.5')).toMatchObject({ used: 0, limit: $(7.5) });
    await spend('$7.5');
  });

  test('gives no more than can be counted to the nano-dollar', async () => {
    const { gate } = budgeted([user]);
    for (let i = 0; i < 2; i++) {
      const { limit } = await gate.topUp('user', { user: 'ann' }, '$9007199.254740991');
      expect(limit).toBe(2 ** 53 - 1);
    }
  });

  test('counts whom as admitting does', async () => {
    const by = budget({ name: 'b', by: ['user', 'model'], limit: { free: '$1', pro: '$5' }, per: 'day' });
    const { gate, admission } = budgeted([by], { prices: PRICES });
    await gate.topUp('b', { user: 7, model: 'opus', plan: 'pro' }, '$1');
    await admission({ subject: { user: '7', plan: 'pro' }, model: 'opus', permits: 0, usd: '$6' });
    await expect(gate.topUp('b', { user: 7, model: 'opus' }, '$1')).rejects.toMatchObject({
      code: 'TOLLGATE_UNKNOWN_PLAN',
    });
  });

  test.each<[string, unknown[], string, RegExp]>([
    [
      'a budget that there is not',
      ['users', { user: 'u' }, '$1'],
      'TOLLGATE_UNKNOWN_BUDGET',
      /^budget: got 'users'; expected one of 'user', 'company'/,
    ],
    ['a limit', ['rate', { user: 'u' }, '$1'], 'TOLLGATE_UNKNOWN_BUDGET', /'rate'/],
    ['nobody', ['user', {}, '$1'], 'TOLLGATE_REQUEST_INVALID', /^user: got undefined; .*'user'/],
    ['somebody empty', ['user', { user: '' }, '$1'], 'TOLLGATE_REQUEST_INVALID', /^user: got ''/],
    ['somebody who is none', ['user', { user: {} }, '$1'], 'TOLLGATE_REQUEST_INVALID', /^user: got an object/],
    ['a number', ['user', { user: 'u' }, 2], 'TOLLGATE_REQUEST_INVALID', /^amount: got 2; expected .*'\$5'/],
    ['a debt', ['user', { user: 'u' }, '$-2'], 'TOLLGATE_REQUEST_INVALID', /^amount: got '\$-2'/],
    ['too fine an amount', ['user', { user: 'u' }, '$0.0000000001'], 'TOLLGATE_REQUEST_INVALID', /^amount/],
  ])('of %s rejects, and changes and tells nothing', async (_, args, code, message) => {
    const limits = [slidingWindow({ name: 'rate', by: 'user', limit: 5, window: '1m' })];
    const { gate } = gateOf(limits, { budgets: [user, company] });
    const credited = jest.fn();
    gate.on('budget.credited', credited);
    const [name, whom, amount] = args as Parameters<typeof gate.topUp>;
    await expect(gate.topUp(name, whom, amount)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect(credited).not.toHaveBeenCalled();
    expect((await gate.inspect({ user: 'u' })).budgets.map(({ limit }) => limit)).toEqual([$(5), $(500)]);
  });

  test('of a gate without budgets, or one that is closed, says so', async () => {
    const { gate } = gateOf([]);
    await expect(gate.topUp('user', {}, '$1')).rejects.toThrow(/no budgets/);
    await gate.close();
    await expect(gate.topUp('user', {}, '$1')).rejects.toMatchObject({ code: 'TOLLGATE_CLOSED' });
    await expect(gate.resetBudget('user', {})).rejects.toMatchObject({ code: 'TOLLGATE_CLOSED' });
  });
});

test.each<[string, Budget['limit']]>([
  ['one for all', '$5'],
  ['by plan', { default: '$5' }],
  ['by a function', () => '$5'],
])(
  'room that is given while a request is under way counts in alerts of its end: a limit that is %s',
  async (_, limit) => {
    const { gate, spend, alerts } = budgeted([{ ...user, limit, alertAt: [0.5, 1] }]);
    const open = await spend('$2');
    await gate.topUp('user', { user: 'ann' }, '$5');
    await open.settle({ usd: '$6' });
    await spend('$4');
    expect(alerts.map(({ threshold, spent, limit }) => [threshold, spent, limit])).toEqual([
      [0.5, $(6), $(10)],
      [1, $(10), $(10)],
    ]);
  },
);

describe('resetBudget', () => {
  test('lets a key begin anew, and keeps on the books what was spent', async () => {
    const { gate, clock, spend, refused, credited } = budgeted([user]);
    await (await spend('$4')).settle({ usd: '$8' });
    await refused('$0.01');
    const state = await gate.resetBudget('user', { user: 'ann' });
    expect(state).toMatchObject({ used: $(8), limit: $(13), remaining: $(5) });
    const whom = { user: 'ann' };
    expect(credited).toEqual([{ gate: 'default', by: 'resetBudget', whom, amount: undefined, budget: state }]);
    await spend('$5');
    await refused('$0.01');
    clock.advance(DAY);
    expect((await gate.inspect({ user: 'ann' })).budgets).toMatchObject([{ used: 0, limit: $(5) }]);
  });

  test('twice gives no more than once, whatever was spent in between', async () => {
    const { gate, spend, refused } = budgeted([user]);
    await spend('$5');
    await gate.resetBudget('user', { user: 'ann' });
    expect(await gate.resetBudget('user', { user: 'ann' })).toMatchObject({ remaining: $(5) });
    await spend('$3');
    expect(await gate.resetBudget('user', { user: 'ann' })).toMatchObject({ used: $(8), remaining: $(5) });
    await refused('$5.01');
    await spend('$5');
  });

  test('takes away no room that was given', async () => {
    const { gate, spend } = budgeted([user]);
    await gate.topUp('user', { user: 'ann' }, '$10');
    await spend('$3');
    expect(await gate.resetBudget('user', { user: 'ann' })).toMatchObject({ used: $(3), remaining: $(15) });
  });

  test('of what was never spent changes nothing', async () => {
    const { gate } = budgeted([user]);
    expect(await gate.resetBudget('user', { user: 'ann' })).toMatchObject({ used: 0, limit: $(5), remaining: $(5) });
  });
});

describe('update', () => {
  test('moves a limit up or down at once, and keeps what is spent and what is open', async () => {
    const { gate, spend, refused } = budgeted([user]);
    const open = await spend('$4');
    gate.update({ budgets: { user: { limit: '$10' } } });
    await spend('$6');
    gate.update({ budgets: { user: { limit: { free: '$1', default: '$8' } } } });
    expect((await refused('$0.01')).detail).toContain("$10 of the $8 that the budget 'user' allows");
    await open.settle({ usd: '$1' });
    await spend('$1');
    expect((await gate.inspect({ user: 'ann' })).budgets).toMatchObject([{ used: $(8), limit: $(8) }]);
  });

  test('changes shares, mode and what is reserved', async () => {
    const { gate, admission, alerts, refusal } = budgeted([user], { prices: PRICES, ladders: [['opus', 'haiku']] });
    const request = { subject: { user: 'ann' }, permits: 0, model: 'opus', usd: '$2' } as const;
    expect((await admission(request)).model).toBe('opus');
    gate.update({ budgets: { user: { degradeAt: [0.5], alertAt: [0.8] } } });
    expect((await admission(request)).model).toBe('haiku');
    expect(alerts).toMatchObject([{ threshold: 0.8 }]);
    await refusal(request);
    gate.update({ budgets: { user: { mode: 'shadow' } } });
    expect((await admission(request)).model).toBe('opus');
    gate.update({ budgets: { user: { mode: 'enforce', reserve: 'worst' } } });
    const body = { max_tokens: 40_000, messages: [{ role: 'user', content: 'hi' }] };
    const { usd: _, ...unpriced } = request;
    await admission({ ...unpriced, estimate: { inputTokens: 0, outputTokens: 1 } });
    expect((await gate.explain({ ...unpriced, degrade: false }, { body })).admitted).toBe(false);
  });

  test('of prices puts them in place of all, for what is admitted from then on', async () => {
    const { gate, admission, used } = budgeted([user], { prices: PRICES });
    const request = { subject: { user: 'ann' }, permits: 0, model: 'haiku', estimate: { outputTokens: 1_000 } };
    const open = await admission(request);
    gate.update({ prices: { haiku: { input: '$1/M', output: '$10/M' } } });
    expect(open.estimate.usd).toBe(5_000_000);
    expect(await used({ subject: { user: 'ann' } })).toEqual({ user: 5_000_000 });
    expect((await admission(request)).estimate.usd).toBe(10_000_000);
    await expect(gate.admit({ ...request, model: 'opus' })).rejects.toMatchObject({ code: 'TOLLGATE_UNKNOWN_MODEL' });
  });

  test('is an event', () => {
    const { gate } = budgeted([user]);
    const updated = jest.fn();
    gate.on('updated', updated);
    const change = { budgets: { user: { limit: '$6' } }, prices: PRICES } as const;
    gate.update(change);
    expect(updated.mock.calls).toEqual([[{ gate: 'default', change }]]);
  });

  test('refuses what is wrong or can not change, all of it at once, and changes nothing then', async () => {
    const { gate, spend, refused } = budgeted([user, company]);
    const updated = jest.fn();
    gate.on('updated', updated);
    const change = {
      tiers: { small: 2 },
      budgets: {
        user: { limit: '$10', per: 'week', timeZone: 'UTC', by: 'tenant', name: 'x' },
        company: { limit: '10', degradeAt: [2], reserve: 'all' },
        team: { limit: '$5' },
      },
      prices: { opus: '$5/M' },
      ladders: [['a', 'b']],
      alerts: { log: false },
    };
    const error = thrownBy(() => gate.update(change as object));
    const hidden = 'a value that is not shown';
    expect(error.code).toBe('TOLLGATE_CONFIG_INVALID');
    expect(error.problems.map(({ path, value }) => [path, value])).toEqual([
      ['ladders', hidden],
      ['alerts', hidden],
      ['budgets.user.per', hidden],
      ['budgets.user.timeZone', hidden],
      ['budgets.user.by', hidden],
      ['budgets.user.name', hidden],
      ['budgets.team', hidden],
      ['budgets.company.limit', '10'],
      ['budgets.company.reserve', 'all'],
      ['budgets.company.degradeAt[0]', 2],
      ['prices.opus', '$5/M'],
    ]);
    expect(error.message).toContain(
      `budgets.team: got ${hidden}; expected one of the gate's budgets: 'user', 'company'`,
    );
    expect(error.message).toMatch(/budgets\.user\.per: got a .* shown; expected only limit, reserve, .* to change/);
    await spend('$5');
    await refused('$0.01');
    expect(updated).not.toHaveBeenCalled();
  });

  test.each([null, 5, 'x', []])('refuses %p in place of budgets, and of a budget', (wrong) => {
    const { gate } = budgeted([user]);
    expect(thrownBy(() => gate.update({ budgets: wrong } as object)).problems).toMatchObject([{ path: 'budgets' }]);
    expect(thrownBy(() => gate.update({ budgets: { user: wrong } } as object)).problems).toMatchObject([
      { path: 'budgets.user' },
    ]);
  });
});

describe('a threshold', () => {
  const told = budget({ ...user, alertAt: [0.5, 0.8, 1] });

  test('that is reached is an event with all that is known', async () => {
    const { clock, spend, alerts } = budgeted([told]);
    clock.advance(DAY / 4);
    await spend('$2.5');
    expect(alerts).toEqual([
      {
        gate: 'default',
        budget: 'user',
        by: ['user'],
        key: ['ann'],
        threshold: 0.5,
        spent: $(2.5),
        limit: $(5),
        resetsAt: START + DAY,
        exhaustsAt: START + DAY / 2,
      },
    ]);
  });

  test('is told of once per key, budget and period, though spending falls and rises', async () => {
    const all = budget({ name: 'all', limit: '$10', per: 'day', alertAt: [0.5] });
    const { clock, spend, told: heard } = budgeted([told, all]);
    for (let i = 0; i < 5; i++) await (await spend('$4.5')).settle({ outcome: 'ignored' });
    expect(heard()).toEqual([
      ['user', 'ann', 0.5],
      ['user', 'ann', 0.8],
    ]);
    await spend('$5');
    await spend('$5', 'bob');
    expect(heard().slice(2)).toEqual([
      ['user', 'ann', 1],
      ['all', 0.5],
      ['user', 'bob', 0.5],
      ['user', 'bob', 0.8],
      ['user', 'bob', 1],
    ]);
    clock.advance(DAY);
    await spend('$3');
    expect(heard().slice(7)).toEqual([['user', 'ann', 0.5]]);
  });

  test('is reached by what is found on settling and by what is extended, too', async () => {
    const { spend, told: heard } = budgeted([told], { prices: PRICES });
    const open = await spend('$0.1');
    await open.settle({ usd: '$6' });
    expect(heard()).toEqual([0.5, 0.8, 1].map((share) => ['user', 'ann', share]));
    const agent = await budgetedAgent();
    await agent.open.extend({ outputTokens: 100_000 });
    expect(agent.told()).toEqual([['user', 'ann', 0.5]]);
  });

  async function budgetedAgent() {
    const { admission, told: heard } = budgeted([told], { prices: PRICES });
    return { open: await admission({ subject: { user: 'ann' }, permits: 0, model: 'opus' }), told: heard };
  }

  test('of what is refused, peeked at or settled after its period is not told of', async () => {
    const { gate, clock, spend, refused, told: heard } = budgeted([told]);
    await refused('$6');
    await gate.explain({ subject: { user: 'ann' }, permits: 0, usd: '$5' });
    await gate.inspect({ user: 'ann' });
    const late = await spend('$1');
    clock.advance(DAY);
    await late.settle({ usd: '$4' });
    expect(heard()).toEqual([]);
  });

  test('is a share of what a budget holds with its credit', async () => {
    const { gate, spend, told: heard } = budgeted([told]);
    await gate.topUp('user', { user: 'ann' }, '$5');
    await spend('$4.9');
    expect(heard()).toEqual([]);
    await spend('$0.1');
    expect(heard()).toEqual([['user', 'ann', 0.5]]);
  });
});

describe('a threshold, once a budget has been changed', () => {
  const told = budget({ ...user, alertAt: [0.8] });

  test.each<[string, (gate: ReturnType<typeof budgeted>['gate']) => unknown]>([
    ['topped up', (gate) => gate.topUp('user', { user: 'ann' }, '$5')],
    ['raised', (gate) => gate.update({ budgets: { user: { limit: '$10' } } })],
  ])('and %s while an admission is open, is a share of what it holds now', async (_, change) => {
    const { gate, spend, alerts } = budgeted([told]);
    const open = await spend('$2');
    await change(gate);
    await open.settle({ usd: '$5' });
    expect(alerts).toEqual([]);
    await spend('$3');
    expect(alerts).toMatchObject([{ threshold: 0.8, spent: $(8), limit: $(10) }]);
  });
});

describe('a refusal', () => {
  test.each<[string, readonly number[], `$${number}`, `$${number}`, readonly number[]]>([
    ['above the threshold before it is the threshold 1', [0.5, 0.8, 1], '$4.2', '$1', [0.5, 0.8, 1]],
    ['below the threshold before it is none', [0.5, 0.8, 1], '$3', '$4', [0.5]],
    ['is no other threshold than 1', [0.5, 0.8], '$3', '$4', [0.5]],
    ['of what could never be admitted is none', [0.5, 0.8, 1], '$4.2', '$6', [0.5, 0.8]],
  ])('%s', async (_, alertAt, spent, asked, thresholds) => {
    const { spend, refused, told } = budgeted([budget({ ...user, alertAt })]);
    await spend(spent);
    for (let i = 0; i < 3; i++) await refused(asked);
    expect(told()).toEqual(thresholds.map((threshold) => ['user', 'ann', threshold]));
  });

  test('tells what is spent, and nothing of other budgets that had room', async () => {
    const whole = budget({ ...company, alertAt: [1] });
    const { spend, refused, alerts } = budgeted([budget({ ...user, alertAt: [1] }), whole]);
    await spend('$4.2');
    await refused('$1');
    expect(alerts).toMatchObject([{ budget: 'user', threshold: 1, spent: $(4.2), limit: $(5) }]);
  });
});

describe('a budget in shadow mode', () => {
  const shadow = budget({ ...user, mode: 'shadow', alertAt: [1], degradeAt: [0.1] });

  test('tells and alerts, and alters no answer', async () => {
    const { gate, admission, told } = budgeted([shadow], { prices: PRICES, ladders: [['opus', 'haiku']] });
    const refused = jest.fn();
    gate.on('shadow.refused', ({ layer }) => refused(layer.layer, layer.used, layer.cost));
    const request = { subject: { user: 'ann' }, permits: 0, model: 'opus' };
    for (const usd of ['$4', '$1', '$3', '$100'] as const) {
      const { model, degraded } = await admission({ ...request, usd });
      expect([model, degraded]).toEqual(['opus', false]);
    }
    expect((await gate.explain({ ...request, usd: '$100' })).admitted).toBe(true);
    expect(told()).toEqual([['user', 'ann', 1]]);
    expect(refused.mock.calls).toContainEqual(['user', $(5), $(3)]);
  });

  test('that has no value for a plan, or no price for a model, alters none either', async () => {
    const heard = warnings();
    const byPlan = budget({ ...shadow, limit: { pro: '$5' } });
    const { admission } = budgeted([byPlan], { prices: PRICES });
    await admission({ subject: { user: 'ann', plan: 'free' }, permits: 0, model: 'opus' });
    await admission({ subject: { user: 'ann', plan: 'pro' }, permits: 0, model: 'unknown' });
    expect(heard.map(({ code }) => code)).toEqual(expect.arrayContaining(['TOLLGATE_SHADOW_FAILED']));
  });
});

describe('the log', () => {
  const half = budget({ ...user, alertAt: [0.5] });
  const LINE = /^Budget 'user' of gate 'default' has reached 50% for user 'ann': \$2\.50 of \$5 is spent; /;

  test("is Node's own warnings unless it is given", async () => {
    const heard = warnings();
    const { spend } = budgeted([half], { alerts: {} });
    await spend('$2.5');
    expect(heard).toEqual([{ code: 'TOLLGATE_BUDGET_THRESHOLD', message: expect.stringMatching(LINE) }]);
  });

  test('may be a function, which takes one line', async () => {
    const heard = warnings();
    const log = jest.fn();
    const { spend } = budgeted([half], { alerts: { log } });
    await spend('$2.5');
    expect(log.mock.calls).toEqual([[expect.stringMatching(LINE)]]);
    expect(heard).toEqual([]);
  });

  test('may be none', async () => {
    const heard = warnings();
    const { spend, alerts } = budgeted([half], { alerts: { log: false } });
    await spend('$2.5');
    expect([alerts.length, heard]).toEqual([1, []]);
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error('disk full');
      },
    ],
    [
      'throws nothing in particular',
      () => {
        throw undefined;
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('disk full');
      },
    ],
  ])('that %s is warned of and harms nothing', async (_, log) => {
    const heard = warnings();
    const { spend, used, alerts } = budgeted([half], { alerts: { log }, prices: PRICES });
    const open = await spend('$2.5');
    await quiet();
    await open.settle({ usd: '$3' });
    expect(await used({ subject: { user: 'ann' } })).toEqual({ user: $(3) });
    expect(alerts).toHaveLength(1);
    expect(heard).toEqual([
      { code: 'TOLLGATE_LISTENER_FAILED', message: expect.stringMatching(/^alerts\.log failed/) },
    ]);
  });
});

describe('the webhook', () => {
  const half = budget({ ...user, alertAt: [0.5, 1] });

  /** A receiver, what it is sent, and when a sender hangs up. */
  async function receiver(status: number | 'never') {
    const texts: string[] = [];
    const [came, left] = [deferred(), deferred()];
    const server = await listen(async (req, res) => {
      res.on('close', () => res.writableFinished || left.resolve());
      let body = '';
      for await (const part of req) body += part;
      texts.push(JSON.parse(body).text);
      if (status !== 'never') res.writeHead(status).end();
      came.resolve();
    });
    return {
      server,
      url: `http://127.0.0.1:${portOf(server)}/services/T0P-S3CR3T`,
      texts,
      came: came.promise,
      left: left.promise,
    };
  }

  test('gets what the log gets', async () => {
    const { url, texts, came } = await receiver(200);
    const lines: string[] = [];
    const { gate, spend } = budgeted([half], { alerts: { webhook: url, log: (line) => lines.push(line) } });
    await spend('$2.5');
    await came;
    expect(texts).toEqual(lines);
    expect(texts).toHaveLength(1);
    await gate.close();
  });

  test('that never answers delays no admission and no settling, and ends with the gate', async () => {
    const { url, came, left } = await receiver('never');
    const { gate, spend } = budgeted([half], { alerts: { webhook: url, log: false } });
    const decision = gate.decide({ subject: { user: 'ann' }, permits: 0, usd: '$2.5' });
    expect(decision).toHaveProperty('admitted', true);
    await (await spend('$2.5')).settle();
    await came;
    await gate.close();
    await left;
  });

  test('that is down fails nothing, is warned of without its path, and leaves no timer when the gate is closed', async () => {
    const { server, url } = await receiver(200);
    server.close();
    await once(server, 'close');
    const heard = warnings();
    const manual = manualClock(START);
    const timers = new Set<() => void>();
    const pausing = deferred();
    const clock = {
      now: manual.now,
      after(ms: number, task: () => void) {
        const cancel = manual.after(ms, task);
        const end = () => {
          timers.delete(end);
          cancel();
        };
        timers.add(end);
        if (ms < 10_000) pausing.resolve();
        return end;
      },
    };
    const gate = createTollgate({ budgets: [half], alerts: { webhook: url, log: false }, clock });
    expect((await gate.admit({ subject: { user: 'ann' }, permits: 0, usd: '$5' })).admitted).toBe(true);
    await pausing.promise;
    await gate.close();
    await gate.close();
    await quiet();
    expect(timers.size).toBe(0);
    expect(JSON.stringify(heard)).not.toContain('T0P-S3CR3T');
  });
});
