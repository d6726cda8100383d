/** The tables of the view. Pure, but for colours. */
import { formatMoney } from '@tollgate/core';
import type { BudgetSummary } from './books.js';
import { pc } from './colours.js';
import type { LayerSummary, Served, Summary, Totals } from './summary.js';
import { type Cell, type Column, type Paint, table } from './table.js';

export const NUMBER = new Intl.NumberFormat('en-GB');

const BAR_WIDTH = 8;

const LAYER_COLUMNS: readonly Column[] = [
  { title: 'layer', width: 11 },
  { title: 'let pass', align: 'right' },
  { title: 'refused', align: 'right' },
  { title: 'nearest', width: BAR_WIDTH },
  { title: 'its limit', width: 18 },
  { title: 'who' },
];

export function layers(summary: Summary): string[] {
  return table(LAYER_COLUMNS, summary.layers.map(layerRow), pc.dim);
}

function layerRow({ layer, unit, mode, admitted, refused, nearest: { key, used, limit } }: LayerSummary): Cell[] {
  const shadow = mode === 'shadow';
  const full = Math.min(1, used / limit);
  const figures =
    unit === 'usd'
      ? `${formatMoney(used)}/${formatMoney(limit)}`
      : `${NUMBER.format(Math.round(used))}/${NUMBER.format(limit)} ${unit}`;
  return [
    { text: layer, paint: pc.bold },
    { text: NUMBER.format(admitted) },
    { text: shadow ? `(${NUMBER.format(refused)})` : NUMBER.format(refused), paint: shadow ? pc.dim : alarm(refused) },
    { text: bar(full), paint: full >= 0.9 ? pc.red : full >= 0.6 ? pc.yellow : pc.green },
    { text: figures },
    { text: [...key, ...(shadow ? ['(shadow)'] : [])].join(' '), paint: pc.dim },
  ];
}

/** Whom which model served, the rung that users are on marked, and how much of their budgets users have spent. */
export function people({ users, models, budgets }: Summary): string[] {
  const columns: Column[] = [
    { title: 'user', width: 6 },
    { title: 'plan', width: 4 },
    { title: 'requests', align: 'right', width: 9 },
    ...modelColumns(models),
    { title: '402', align: 'right', width: 4 },
    { title: 'spent', align: 'right', width: 5 },
    { title: 'of', align: 'right', width: 5 },
  ];
  const rows = users.map((user) => [
    { text: user.user, paint: pc.bold },
    { text: user.plan, paint: pc.dim },
    totalsCell(user),
    ...modelCells(user.models, user.rung),
    { text: NUMBER.format(user.overBudget), paint: alarm(user.overBudget) },
    ...spentCells(budgets.find(({ by, key }) => by[0] === 'user' && key[0] === user.user)),
  ]);
  return table(columns, rows, pc.dim);
}

export function plans({ plans: byPlan, models, ...all }: Summary): string[] {
  const columns: Column[] = [
    { title: 'plan', width: 12 },
    { title: 'requests', align: 'right', width: 9 },
    ...modelColumns(models),
    { title: '402', align: 'right', width: 4 },
  ];
  const row = (name: string, totals: Totals, served: Served) => [
    { text: name },
    totalsCell(totals),
    ...modelCells(served),
    { text: NUMBER.format(totals.overBudget), paint: alarm(totals.overBudget) },
  ];
  const rows = byPlan.map(({ plan, models, ...totals }) => row(plan, totals, models));
  return table(columns, [...rows, row('all', all, models)], pc.dim);
}

export function features({ users, features: byFeature, ...all }: Summary): string[] {
  const columns: Column[] = [
    { title: 'user', width: 12 },
    ...[...byFeature.map(({ feature }) => feature), 'all'].map((title) => ({
      title,
      align: 'right' as const,
      width: 12,
    })),
  ];
  const rows = users.map(({ user, features: cells, ...total }) => [
    { text: user, paint: pc.bold },
    ...[...byFeature.map(({ feature }) => cells[feature]), total].map(totalsCell),
  ]);
  return table(columns, [...rows, [{ text: 'all' }, ...[...byFeature, all].map(totalsCell)]], pc.dim);
}

const BOOK_COLUMNS: readonly Column[] = [
  { title: 'budget' },
  { title: 'whose', width: 9 },
  { title: 'limit', align: 'right' },
  { title: "Tollgate's books", align: 'right' },
  { title: "provider's bill", align: 'right' },
  { title: 'they' },
];

export function books({ budgets }: Summary): string[] {
  const rows = budgets.map(({ budget, key, limit, spent, billed, agrees }) => [
    { text: budget, paint: pc.bold },
    { text: key.join(' ') || 'all' },
    { text: formatMoney(limit) },
    { text: exactMoney(spent) },
    { text: exactMoney(billed) },
    agrees ? { text: 'agree', paint: pc.green } : { text: 'DIFFER', paint: pc.red },
  ]);
  return table(BOOK_COLUMNS, rows, pc.dim);
}

/** Every nano-dollar of it. */
export function exactMoney(nanoDollars: number): string {
  const digits = String(nanoDollars).padStart(10, '0');
  return `$${digits.slice(0, -9)}.${digits.slice(-9)}`;
}

function modelColumns(models: Served): Column[] {
  return Object.keys(models).map((model) => ({ title: shortName(model), align: 'right' }));
}

function modelCells(models: Served, rung?: string): Cell[] {
  return Object.entries(models).map(([model, count]) => ({
    text: count === 0 ? '·' : NUMBER.format(count),
    paint: model === rung ? pc.green : count === 0 ? pc.dim : same,
  }));
}

function spentCells(budget: BudgetSummary | undefined): Cell[] {
  if (!budget) return [{ text: '' }, { text: '' }];
  const percent = Math.round((100 * budget.spent) / budget.limit);
  const paint = percent >= 90 ? pc.red : percent >= 50 ? pc.yellow : pc.green;
  return [{ text: `${percent} %`, paint }, { text: formatMoney(budget.limit) }];
}

/** Admitted / refused. */
function totalsCell(totals: Totals | undefined): Cell {
  if (!totals || totals.requests === 0) return { text: '·', paint: pc.dim };
  const { admitted, refused } = totals;
  return {
    text: `${NUMBER.format(admitted)} / ${NUMBER.format(refused)}`,
    paint: (text) => text.replace(/\/.*/, alarm(refused)),
  };
}

/** Without the family, which all of them share. */
export function shortName(model: string): string {
  return model.replace('sage-', '');
}

function alarm(count: number): Paint {
  return count > 0 ? pc.red : pc.dim;
}

function bar(full: number): string {
  const filled = Math.round(full * BAR_WIDTH);
  return '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
}

function same(text: string): string {
  return text;
}
