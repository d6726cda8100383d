/** How a summary looks: a frame of the live view, a line of the log, and the page at the end. Pure, but for colours. */
import { pc } from './colours.js';
import { LADDER } from './gate.js';
import type { Overload } from './overload/compare.js';
import { overloadLines } from './overload/view.js';
import { books, exactMoney, features, layers, NUMBER, people, plans, shortName } from './sections.js';
import type { Summary } from './summary.js';
import { wrap } from './table.js';
import type { Tokens } from './tally.js';
import type { Upstream } from './upstream/compare.js';
import { upstreamLines } from './upstream/view.js';

/** The screen that a frame has to fit, in characters. */
export interface Screen {
  readonly columns: number;
  readonly rows: number;
}

/** What was played at the end. */
export interface Played {
  readonly overload: Overload;
  readonly upstream: Upstream;
}

const FACTS_WIDTH = 24;

export function frame(summary: Summary, screen: Screen): string {
  const fixed = [heading(summary), requests(summary), '', ...layers(summary), '', ...people(summary), ''];
  const lines = [...fixed, ...refusals(summary, screen.rows - fixed.length, screen.columns)];
  return lines.slice(0, screen.rows).join('\n');
}

/** One line for logs and pipes: what was refused, and which rungs of the ladder served what was not. */
export function logLine({ seconds, requests, admitted, refused, overBudget, models }: Summary): string {
  const figures = `${NUMBER.format(requests)} requests, ${NUMBER.format(admitted)} admitted, ${NUMBER.format(refused)} refused`;
  const broke = overBudget > 0 ? ` (${NUMBER.format(overBudget)} × 402)` : '';
  const rungs = LADDER.map((model) => `${shortName(model)} ${NUMBER.format(models[model] ?? 0)}`);
  return `${seconds.toFixed(0).padStart(3)} s  ${figures}${broke}: ${rungs.join(', ')}`;
}

export function page(summary: Summary, { overload, upstream }: Played, screen: Screen): string {
  const { settled, provider, clients } = summary;
  const statuses = Object.entries(clients.statuses).map(([status, count]) => `${NUMBER.format(count)} × ${status}`);
  return [
    pc.bold(`Summary of ${summary.seconds} s, seed ${summary.seed}`),
    requests(summary),
    tokens(summary),
    cameBack(summary),
    `clients     saw ${statuses.join(', ')}`,
    `settled     ${settled.succeeded} whole, ${settled.failed} in part, ${settled.ignored} given back, ${settled.unattended} as estimated`,
    `provider    ${provider.calls} calls, ${provider.failures} failed, ${provider.brokenOff} broken off, ${provider.abandoned} abandoned by clients`,
    '',
    ...layers(summary),
    '',
    ...features(summary),
    '',
    ...people(summary),
    '',
    ...plans(summary),
    '',
    ...refusals(summary, Number.POSITIVE_INFINITY, screen.columns),
    '',
    ...overloadLines(overload),
    '',
    ...upstreamLines(upstream),
    '',
    ...books(summary),
    '',
    verdict(summary),
  ].join('\n');
}

function heading({ seconds, seed }: Summary): string {
  return `${pc.bold('Tollgate demo')}  ${seconds.toFixed(0)} s, seed ${seed}  ${pc.dim('Ctrl-C ends it')}`;
}

function requests({ requests, admitted, refused, overBudget, clients }: Summary): string {
  const passed = pc.green(`${NUMBER.format(admitted)} admitted`);
  const failed = pc.red(`${NUMBER.format(refused)} refused`);
  return `requests    ${NUMBER.format(requests)}: ${passed}, ${failed} (${overBudget} × 402), ${clients.inFlight} under way`;
}

function tokens({ tokens: { estimated, actual } }: Summary): string {
  const share = Math.round((100 * sum(actual)) / Math.max(1, sum(estimated)));
  return `tokens      ${NUMBER.format(sum(estimated))} estimated, ${NUMBER.format(sum(actual))} used (${share} %); the rest is given back`;
}

function cameBack({ clients: { cameBack } }: Summary): string {
  const back = cameBack.admitted + cameBack.refused;
  return `came back   ${back} after their Retry-After, ${cameBack.admitted} of them admitted`;
}

/** Whether the books and the bill agree, and if not, where. */
export function verdict({ agrees, budgets }: Summary): string {
  if (agrees) return pc.green("The books and the provider's bill agree to the nano-dollar.");
  const wrong = budgets
    .filter((budget) => !budget.agrees)
    .map(({ budget, key, spent, billed }) => {
      const sign = spent > billed ? 'more' : 'less';
      return `  ${[budget, ...key].join(' ')}: ${exactMoney(Math.abs(spent - billed))} ${sign} than billed`;
    });
  return pc.red(pc.bold(["THE BOOKS DO NOT AGREE WITH THE PROVIDER'S BILL:", ...wrong].join('\n')));
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

function sum({ inputTokens, outputTokens }: Tokens): number {
  return inputTokens + outputTokens;
}
