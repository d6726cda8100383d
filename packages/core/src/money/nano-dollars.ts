/** Money is counted in whole nano-dollars, from 0 to 2⁵³ − 1: up to $9,007,199.254740991, with no rounding anywhere. */

/** An amount in dollars, such as `'$5'` or `'$0.25'`, of at most nine decimals. */
export type Money = `$${number}`;

/** A price for a thousand or a million tokens, such as `'$1.25/M'` or `'$0.01/k'`. */
export type TokenPrice = `$${number}/${'k' | 'M'}`;

/** Decimals that keep a price for so many tokens whole, in nano-dollars for a million. */
const PLACES = { k: 12, M: 9 };

/** Decimals that are shown of any amount: hundredths of a cent. Small amounts have two figures at least. */
const SHOWN_PLACES = 4;

/** Nano-dollars, from 0 to 2⁵³ − 1; `undefined` for what is no amount of money, or not whole, or more. */
export function parseMoney(value: unknown): number | undefined {
  const match = typeof value === 'string' ? /^\$(\d+)(?:\.(\d+))?$/.exec(value) : null;
  return match ? scaled(match[1], match[2], 9) : undefined;
}

/** Nano-dollars for a million tokens, from 0 to 2⁵³ − 1; `undefined` for what is no price, or not whole, or more. */
export function parseTokenPrice(value: unknown): number | undefined {
  const match = typeof value === 'string' ? /^\$(\d+)(?:\.(\d+))?\/(k|M)$/.exec(value) : null;
  return match ? scaled(match[1], match[2], PLACES[match[3] as keyof typeof PLACES]) : undefined;
}

/** Nano-dollars of dollars in a number, which may be no whole ones: up to the next. */
export function nanoDollarsFrom(dollars: number): number {
  // Fifteen digits are as many as a double has: what stands behind them was never told.
  return Math.ceil(Number((dollars * 1e9).toPrecision(15)));
}

/** An amount as {@link parseMoney} takes it, to the nano-dollar. */
export function moneyFrom(nanoDollars: number): Money {
  const digits = String(nanoDollars).padStart(10, '0');
  return `$${digits.slice(0, -9)}.${digits.slice(-9)}` as Money;
}

/**
 * Nano-dollars for people: `$5`, `$0.25`, `$1,200`, `-$12.50`. What is finer than a hundredth of a cent is rounded away
 * from zero, so that neither a cost nor a debt looks smaller than it is; small amounts keep two figures: `$0.0031`,
 * `$0.000012`.
 *
 * @param nanoDollars a whole number from −(2⁵³ − 1) to 2⁵³ − 1
 */
export function formatMoney(nanoDollars: number): string {
  const amount = Math.abs(nanoDollars);
  const step = 10 ** Math.min(9 - SHOWN_PLACES, Math.max(0, String(amount).length - 2));
  const beyond = amount % step;
  const digits = String(beyond === 0 ? amount : amount - beyond + step).padStart(10, '0');
  const dollars = digits.slice(0, -9).replace(/\B(?=(?:\d{3})+$)/g, ',');
  const decimals = digits.slice(-9).replace(/0+$/, '');
  return `${nanoDollars < 0 ? '-' : ''}$${dollars}${decimals && `.${decimals.padEnd(2, '0')}`}`;
}

/** The digits as they are written, with the point moved by `places`: only the whole number is ever a double. */
function scaled(whole: string, decimals = '', places: number): number | undefined {
  const amount = Number(whole + decimals.padEnd(places, '0'));
  return decimals.length <= places && Number.isSafeInteger(amount) ? amount : undefined;
}
