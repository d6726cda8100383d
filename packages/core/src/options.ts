/** How Tollgate's own packages read what they are given and tell what is wrong with it: `@tollgate/core/options`. It may change. */

export { configError, NOT_SHOWN, type Problem, warn } from './errors.js';
export { moneyFrom, nanoDollarsFrom, parseMoney } from './money/nano-dollars.js';
export { A_NAME, isRecord, type Parse, parseName } from './schema.js';
export { parseCount, parseDuration, parseRate } from './units.js';
