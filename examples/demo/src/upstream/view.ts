/** The comparison as text. Pure, but for colours. */
import { pc } from '../colours.js';
import { NUMBER } from '../sections.js';
import { type Cell, type Column, table } from '../table.js';
import type { Upstream, WayFared } from './compare.js';

const COLUMNS: readonly Column[] = [
  { title: '', width: 28 },
  ...['asked', 'sent', '429s', 'failed', 'in time', 'p95 s'].map((title) => ({ title, align: 'right' as const })),
];

export function upstreamLines({ tollgate, twoRetries, thenTheOther, minutes }: Upstream): string[] {
  const load = `${NUMBER.format(tollgate.asked)} calls in ${minutes} minutes, a second one to fall back on, simulated`;
  const rows = [
    row('with Tollgate', tollgate),
    row('two retries', twoRetries),
    row('two retries, then the other', thenTheOther),
  ];
  return [pc.bold('A provider that refuses, and dies half-way'), load, '', ...table(COLUMNS, rows, pc.dim)];
}

function row(way: string, { asked, sent, refused, failed, inTime, p95Ms }: WayFared): Cell[] {
  const bad = (count: number) => ({
    text: count === 0 ? '·' : NUMBER.format(count),
    paint: count > asked / 100 ? pc.red : pc.dim,
  });
  return [
    { text: way },
    ...[asked, sent].map((count) => ({ text: NUMBER.format(count) })),
    ...[refused, failed].map(bad),
    { text: NUMBER.format(inTime), paint: inTime > 0.99 * asked ? pc.green : pc.red },
    { text: (p95Ms / 1000).toFixed(1) },
  ];
}
