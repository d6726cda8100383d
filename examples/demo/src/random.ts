/** Randomness that a seed repeats: each named stream draws its own numbers, whatever the others do. */
export interface Random {
  /** A number from 0 up to, not including, 1. */
  next(): number;
  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number;
  /** A time to wait whose mean is `mean`: arrivals that know nothing of each other. */
  interval(mean: number): number;
}

/** Mulberry32, started from the seed and the stream's name (FNV-1a). */
export function random(seed: number, stream: string): Random {
  let state = seed >>> 0;
  for (const char of stream) state = Math.imul(state ^ char.charCodeAt(0), 16_777_619);
  function next(): number {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
  return {
    next,
    between: (least, most) => least + Math.floor(next() * (most - least + 1)),
    interval: (mean) => -mean * Math.log(1 - next()),
  };
}
