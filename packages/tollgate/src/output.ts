/** How the commands print what they have found. */
import Table from 'cli-table3';

/** What every command takes. */
export interface OutputOptions {
  readonly json?: boolean;
}

const PLAIN = {
  chars: {
    ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
    ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
    ...{ left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' },
  },
  style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
};

/** Columns without borders, numbers aligned to the right; `''` where there are no rows. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  if (rows.length === 0) return '';
  const colAligns = head.map((_, i) => (typeof rows[0][i] === 'number' ? 'right' : 'left') as 'right' | 'left');
  const table = new Table({ ...PLAIN, head: [...head], colAligns });
  for (const row of rows) table.push(row.map((cell) => (typeof cell === 'number' ? count(cell) : cell)));
  return `${table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`;
}

const COUNT = new Intl.NumberFormat('en-US', { maximumFractionDigits: 2 });

export function count(value: number): string {
  return COUNT.format(value);
}

/** Milliseconds, in the unit that a person would use. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return 'never';
  if (ms < 1000) return `${count(ms)} ms`;
  if (ms < 120_000) return `${count(ms / 1000)} s`;
  return ms < 7_200_000 ? `${count(ms / 60_000)} min` : `${count(ms / 3_600_000)} h`;
}

/** A text under its title; `''` where there is no text. */
export function section(title: string, text: string): string {
  return text === '' ? '' : `\n${title}\n\n${text}`;
}

export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
