/** How a summary looks: a frame of the live view, a line of the log, and the page at the end. Pure, but for colours. */
import picocolors from 'picocolors';
import type { LayerSummary, Summary, Totals } from './summary.js';
import { type Cell, type Column, type Paint, table, wrap } from './table.js';
import type { Tokens } from './tally.js';

// Left to itself it colours in CI too, where nobody may be looking at a terminal.
const pc = picocolors.createColors(process.stdout.isTTY === true && picocolors.isColorSupported);

/** The screen that a frame has to fit, in characters. */
export interface Screen {
  readonly columns: number;
  readonly rows: number;
}

const NUMBER = new Intl.NumberFormat('en-GB');
const BAR_WIDTH = 10;
const FACTS_WIDTH = 24;

export function frame(summary: Summary, screen: Screen): string {
  const fixed = [heading(summary), ...counts(summary), '', ...layers(summary), '', ...people(summary), ''];
  const lines = [...fixed, ...refusals(summary, screen.rows - fixed.length, screen.columns)];
  return lines.slice(0, screen.rows).join('\n');
}

/** One line for logs and pipes. */
export function logLine(summary: Summary): string {
  const by = summary.layers.filter(({ mode, refused }) => mode === 'enforce' && refused > 0);
  const reasons = by.map(({ layer, refused }) => `${layer} ${NUMBER.format(refused)}`).join(', ');
  const { seconds, requests, admitted, refused } = summary;
  const figures = `${NUMBER.format(requests)} requests, ${NUMBER.format(admitted)} admitted, ${NUMBER.format(refused)} refused`;
  return `${seconds.toFixed(0).padStart(3)} s  ${figures}${reasons && ` (${reasons})`}`;
}

export function page(summary: Summary, screen: Screen): string {
  const { settled, provider, clients } = summary;
  const statuses = Object.entries(clients.statuses).map(([status, count]) => `${NUMBER.format(count)} × ${status}`);
  return [
    pc.bold(`Summary of ${summary.seconds} s, seed ${summary.seed}`),
    ...counts(summary),
    cameBack(summary),
    `clients saw ${statuses.join(', ')}`,
    `settled     ${settled.succeeded} succeeded, ${settled.ignored} given back, ${settled.failed} failed`,
    `provider    ${provider.calls} calls, ${NUMBER.format(sum(provider))} tokens used`,
    '',
    ...layers(summary),
    '',
    ...people(summary),
    '',
    ...refusals(summary, Number.POSITIVE_INFINITY, screen.columns),
  ].join('\n');
}

function heading({ seconds, seed }: Summary): string {
  return `${pc.bold('Tollgate demo')}  ${seconds.toFixed(0)} s, seed ${seed}  ${pc.dim('Ctrl-C ends it')}`;
}

function cameBack({ clients: { cameBack } }: Summary): string {
  const back = cameBack.admitted + cameBack.refused;
  return `came back   ${back} after their Retry-After, ${cameBack.admitted} of them admitted`;
}

function counts({ requests, admitted, refused, clients, tokens: { estimated, actual } }: Summary): string[] {
  const share = Math.round((100 * sum(actual)) / Math.max(1, sum(estimated)));
  return [
    `requests    ${NUMBER.format(requests)}: ${pc.green(`${NUMBER.format(admitted)} admitted`)}, ${pc.red(`${NUMBER.format(refused)} refused`)}, ${clients.inFlight} under way`,
    `tokens      ${NUMBER.format(sum(estimated))} estimated, ${NUMBER.format(sum(actual))} used (${share} %); the rest is given back`,
  ];
}

const LAYER_COLUMNS: readonly Column[] = [
  { title: 'layer', width: 8 },
  { title: 'let pass', align: 'right' },
  { title: 'refused', align: 'right' },
  { title: 'nearest', width: BAR_WIDTH },
  { title: 'its limit', width: 18 },
  { title: 'who' },
];

function layers(summary: Summary): string[] {
  return table(LAYER_COLUMNS, summary.layers.map(layerRow), pc.dim);
}

function layerRow({ layer, unit, mode, admitted, refused, nearest: { key, used, limit } }: LayerSummary): Cell[] {
  const shadow = mode === 'shadow';
  const full = Math.min(1, used / limit);
  return [
    { text: layer, paint: pc.bold },
    { text: NUMBER.format(admitted) },
    { text: shadow ? `(${NUMBER.format(refused)})` : NUMBER.format(refused), paint: shadow ? pc.dim : alarm(refused) },
    { text: bar(full), paint: full >= 0.9 ? pc.red : full >= 0.6 ? pc.yellow : pc.green },
    { text: `${NUMBER.format(Math.round(used))}/${NUMBER.format(limit)} ${unit}` },
    { text: [...key, ...(shadow ? ['(shadow)'] : [])].join(' '), paint: pc.dim },
  ];
}

function people({ users, features, ...all }: Summary): string[] {
  const columns: Column[] = [
    { title: 'user', width: 8 },
    { title: 'plan', width: 5 },
    ...[...features.map(({ feature }) => feature), 'all'].map((title) => ({
      title,
      align: 'right' as const,
      width: 12,
    })),
  ];
  const rows = users.map(({ user, plan, features: cells, ...total }) => [
    { text: user, paint: pc.bold },
    { text: plan, paint: pc.dim },
    ...[...features.map(({ feature }) => cells[feature]), total].map(cell),
  ]);
  const last = [{ text: 'all' }, { text: '' }, ...[...features, all].map(cell)];
  return table(columns, [...rows, last], pc.dim);
}

/** Admitted / refused. */
function cell(totals: Totals | undefined): Cell {
  if (!totals || totals.requests === 0) return { text: '·', paint: pc.dim };
  const { admitted, refused } = totals;
  return {
    text: `${NUMBER.format(admitted)} / ${NUMBER.format(refused)}`,
    paint: (text) => text.replace(/\/.*/, alarm(refused)),
  };
}

/** As many of the last refusals as there is room for, each whole. */
function refusals({ recentRefusals }: Summary, rows: number, columns: number): string[] {
  const lines: string[] = [];
  for (const { user, feature, status, detail, retryAfter } of recentRefusals) {
    const facts = [
      `${user} ${feature} ${status}`,
      retryAfter === undefined ? 'no retry' : `Retry-After: ${retryAfter}`,
    ];
    const sentence = wrap(detail, columns - FACTS_WIDTH);
    const height = Math.max(facts.length, sentence.length);
    if (lines.length + height > rows) break;
    for (let i = 0; i < height; i++) {
      lines.push(pc.yellow((facts[i] ?? '').padEnd(FACTS_WIDTH)) + (sentence[i] ?? ''));
    }
  }
  return lines;
}

function alarm(count: number): Paint {
  return count > 0 ? pc.red : pc.dim;
}

function bar(full: number): string {
  const filled = Math.round(full * BAR_WIDTH);
  return '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
}

function sum({ inputTokens, outputTokens }: Tokens): number {
  return inputTokens + outputTokens;
}
