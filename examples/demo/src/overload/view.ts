/** The comparison as text. Pure, but for colours. */
import { pc } from '../colours.js';
import { NUMBER } from '../sections.js';
import { type Cell, type Column, table } from '../table.js';
import type { KindFared, Overload } from './compare.js';

export function overloadLines({ slots, minutes, tollgate, firstComeFirstServed }: Overload): string[] {
  const requests = tollgate.reduce((sum, kind) => sum + kind.requests, 0);
  const load = `${NUMBER.format(requests)} requests in ${minutes} minutes for ${slots} slots, simulated`;
  return [
    `${pc.bold('At twice the capacity')}  ${load}`,
    '',
    ...fared('with Tollgate', tollgate),
    '',
    ...fared('first come, first served', firstComeFirstServed),
  ];
}

function fared(title: string, kinds: readonly KindFared[]): string[] {
  const counts = ['came', 'admitted', 'cheaper', 'shed', 'late', 'p50 s', 'p95 s'];
  const columns: Column[] = [
    { title, width: 24 },
    ...counts.map((title) => ({ title, align: 'right' as const, width: 5 })),
  ];
  return table(columns, kinds.map(row), pc.dim);
}

function row({ kind, priority, requests, admitted, degraded, shed, late, waitMs }: KindFared): Cell[] {
  return [
    { text: `${kind.padEnd(11)}  ${priority}` },
    { text: NUMBER.format(requests) },
    { text: NUMBER.format(admitted), paint: admitted > requests / 2 ? pc.green : pc.red },
    ...[degraded, shed, late].map((count) => ({ text: count === 0 ? '·' : NUMBER.format(count) })),
    ...[waitMs.p50, waitMs.p95].map((ms) => ({ text: (ms / 1000).toFixed(1) })),
  ];
}
