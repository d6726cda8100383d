/** How fast answers come: the time per output token, whatever their length and the time before the first token. */

export interface Answer {
  readonly ms: number;
  /** Above 0. */
  readonly tokens: number;
}

/** Means, over answers, of x = 1 / tokens and y = milliseconds / tokens, and of their products. */
export interface AnswerMeans {
  answers: number;
  x: number;
  y: number;
  xx: number;
  xy: number;
}

/** Answers that the means are taken over. */
const MEMORY = 500;

export function noAnswers(): AnswerMeans {
  return { answers: 0, x: 0, y: 0, xx: 0, xy: 0 };
}

export function include(means: AnswerMeans, { ms, tokens }: Answer): void {
  const [x, y] = [1 / tokens, ms / tokens];
  const weight = 1 / Math.min(++means.answers, MEMORY);
  means.x += (x - means.x) * weight;
  means.y += (y - means.y) * weight;
  means.xx += (x * x - means.xx) * weight;
  means.xy += (x * y - means.xy) * weight;
}

/**
 * Milliseconds per token, and two standard errors of it. Without the time before the first token, which would make short
 * answers look slow: in ms = first + tokens · perToken it is the slope of y over x, taken smaller where answers are much
 * alike, which leaves it uncertain.
 */
export function speedOf(means: AnswerMeans, block: readonly Answer[]): { perToken: number; error: number } {
  const sum = (of: (answer: Answer) => number) => block.reduce((total, answer) => total + of(answer), 0);
  const [ms, tokens] = [sum((answer) => answer.ms), sum((answer) => answer.tokens)];
  const slope = (means.xy - means.x * means.y) / (means.xx - 0.95 * means.x ** 2);
  const first = Math.min(ms / block.length / 2, Math.max(0, slope));
  const perToken = (ms - block.length * first) / tokens;
  const squares = sum((answer) => (answer.ms - first - answer.tokens * perToken) ** 2);
  return { perToken, error: (2 * Math.sqrt(squares)) / tokens };
}
