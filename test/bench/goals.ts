/** A measured ratio, with what it is to be. */
export interface Line {
  readonly measure: string;
  readonly contender: string;
  readonly value: number;
  readonly unit: string;
  /** Against what, and how many times that; `undefined` for the base itself. */
  readonly ratio: number | undefined;
  readonly base: string;
  /** What the ratio, or else the value, must at most be, or for throughput at least; `undefined` where it only informs. */
  readonly goal?: { readonly most: number } | { readonly least: number } | undefined;
}

export function isMet({ value, ratio = value, goal }: Line): boolean | undefined {
  if (goal === undefined) return undefined;
  return 'most' in goal ? ratio <= goal.most : ratio >= goal.least;
}

/** The lines as a table of plain text, the measures apart. */
export function tableOf(lines: readonly Line[]): string {
  const rows = lines.map((line, i) => [
    lines[i - 1]?.measure === line.measure ? '' : line.measure,
    line.contender,
    `${line.value.toLocaleString('en-US', { maximumFractionDigits: line.value < 100 ? 1 : 0 })} ${line.unit}`,
    line.ratio === undefined ? '' : `${line.ratio.toFixed(2)} × ${line.base}`,
    goalText(line),
  ]);
  const all = [['measure', 'contender', 'median', 'ratio', 'goal'], ...rows];
  const widths = all[0].map((_, column) => Math.max(...all.map((row) => row[column].length)));
  return all
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function goalText(line: Line): string {
  const met = isMet(line);
  if (line.goal === undefined || met === undefined) return '';
  const words = 'most' in line.goal ? `≤ ${line.goal.most}` : `≥ ${line.goal.least.toFixed(2)}`;
  return `${words} ${met ? '✓' : '✗ missed'}`;
}
