/** Columns of text, aligned before they are coloured, so that colours take no room. */
export type Paint = (text: string) => string;

export interface Cell {
  readonly text: string;
  readonly paint?: Paint;
}

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** The least width, which keeps columns from moving as figures grow. */
  readonly width?: number;
}

export function table(columns: readonly Column[], rows: readonly (readonly Cell[])[], paintTitle: Paint): string[] {
  const widths = columns.map(({ title, width = 0 }, i) => {
    return Math.max(width, title.length, ...rows.map((row) => row[i]?.text.length ?? 0));
  });
  const pad = (text: string, i: number) => {
    if (columns[i]?.align === 'right') return text.padStart(widths[i] ?? 0);
    return i === columns.length - 1 ? text : text.padEnd(widths[i] ?? 0);
  };
  const line = (cells: readonly Cell[]) => cells.map(({ text, paint = same }, i) => paint(pad(text, i))).join('  ');
  return [line(columns.map(({ title }) => ({ text: title, paint: paintTitle }))), ...rows.map(line)];
}

/** Breaks a text between words into lines of at most `width`. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function same(text: string): string {
  return text;
}
