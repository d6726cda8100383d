/** A provider's key as it is configured, and where its secret comes from. */
import type { Money } from '@tollgate/core';

/**
 * Gives a secret when it is needed. Called again after a refusal (`fresh`), and when what it gave is a minute old: see `cached`
 * for more.
 */
export type SecretSource = (options?: { readonly fresh?: boolean }) => string | Promise<string>;

export interface KeyOptions {
  /** Unique in its provider; stands in events and refusals, so it is no secret. */
  readonly name: string;
  readonly secret: SecretSource;
  /** How often it goes first, against the provider's other keys; 1 unless given. */
  readonly weight?: number | undefined;
  /** The most that is spent with it a day, such as `'$50'`, so that a leak is capped. No cap unless given. */
  readonly dailyBudget?: Money | undefined;
  /** When it was made, as a date or milliseconds since 1970: keys of over 90 days are warned of. */
  readonly createdAt?: string | number | Date | undefined;
  /** Where it may be used, such as `production`. Two keys each, or a warning. */
  readonly environment?: string | undefined;
}

/** In place of keys, where requests are signed by who sends them, and no key is put in. */
export const SIGNED_BY_CALLER: KeyOptions = { name: 'signed', secret: () => 'signed-by-the-caller' };
