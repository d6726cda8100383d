/** Times and numbers as people and header fields are told them. */

const GROUPED = new Intl.NumberFormat('en-US', { maximumFractionDigits: 2 });

/** A length of time for a person, rounded up to two figures or so: whoever waits that long is not early. */
export function duration(ms: number): string {
  const seconds = secondsUp(ms);
  if (seconds < 120) return plural(seconds, 'second');
  if (seconds < 7200) return plural(Math.ceil(seconds / 60), 'minute');
  if (seconds < 172_800) return plural(Math.ceil(seconds / 3600), 'hour');
  return plural(Math.ceil(seconds / 86_400), 'day');
}

/** Small whole numbers need no grouping, and a flood of refusals has little else to show. */
export function number(value: number): string {
  return Number.isInteger(value) && value < 1000 ? String(value) : GROUPED.format(value);
}

export function plural(count: number, word: string): string {
  return `${number(count)} ${word}${count === 1 ? '' : 's'}`;
}

/** Whole seconds, no fewer, and of at most the 15 digits that header fields know. */
export function secondsUp(ms: number): number {
  return Math.min(Math.ceil(ms / 1000), 999_999_999_999_999);
}
