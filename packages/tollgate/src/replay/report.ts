/** A replay, for people. */
import { formatMoney } from '@tollgate/core';
import { count, duration, section, table } from '../output.js';
import type { Replay } from './replay.js';

export function replayReport(replay: Replay): string {
  const { asked, admitted, refused, withdrawn, waits, shedding, cost, from, to } = replay;
  const share = (part: number) => (asked === 0 ? '' : ` (${count((100 * part) / asked)} %)`);
  const tokens = cost.inputTokens + cost.outputTokens;
  return [
    `${count(asked)} requests in ${duration(to - from)}\n\n`,
    `  admitted   ${count(admitted)}${share(admitted)}\n`,
    `  refused    ${count(refused)}${share(refused)}\n`,
    withdrawn > 0 ? `  withdrawn  ${count(withdrawn)}${share(withdrawn)}\n` : '',
    waits.count > 0
      ? `  waited     ${count(waits.count)}${share(waits.count)}, half of them ${duration(waits.p50)} at most, 95 % ${duration(waits.p95)}, the longest ${duration(waits.longest)}\n`
      : '',
    shedding.changes > 0 ? `  shedding   up to level ${shedding.highest}, ${count(shedding.changes)} changes\n` : '',
    tokens + cost.usd > 0 ? `  cost       ${formatMoney(cost.usd)} for ${count(tokens)} tokens\n` : '',
    section('By layer', layers(replay)),
    section('Why requests were refused', counts('reason', replay.reasons)),
    section('Cheaper models', counts('from → to', replay.degraded)),
    section('By model', models(replay)),
    section('Budget alerts', counts('alert', replay.alerts)),
    section('Answered otherwise than in the log', counts('change', replay.changed)),
    section('Not replayed', counts('why', replay.skipped)),
  ].join('');
}

function layers({ layers }: Replay): string {
  const rows = Object.entries(layers).map(([name, { refused, delayed, shadowRefused }]) => [
    name,
    refused,
    delayed,
    shadowRefused,
  ]);
  return table(['layer', 'refused', 'delayed', 'refused on trial'], rows);
}

function models({ models, cost }: Replay): string {
  if (cost.usd === 0) return '';
  const rows = Object.entries(models).map(([model, { requests, usd }]) => [model, requests, formatMoney(usd)]);
  return table(['model', 'requests', 'cost'], rows);
}

function counts(head: string, counts: Readonly<Record<string, number>>): string {
  const rows = Object.entries(counts).sort(([, a], [, b]) => b - a);
  return table([head, 'requests'], rows);
}
