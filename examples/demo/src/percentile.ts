/** The least that so great a part of them, at least, does not exceed; 0 where there are none. */
export function percentile(sorted: readonly number[], part: number): number {
  return Math.round(sorted[Math.ceil(part * sorted.length) - 1] ?? 0);
}
