/** What is found wrong with a configuration, and whom requests that try it out are for. */

export interface Finding {
  /** Where, such as `limits[0]`. */
  readonly path: string;
  /** What will happen, and what to do if that isn't meant. */
  readonly text: string;
}

/** A subject with every dimension. */
export const SOMEONE = { user: 'someone', tenant: 'someone', key: 'someone', ip: '192.0.2.1' };

/** The other dimensions of a request. */
export const SOMETHING = { feature: 'any', route: 'any' };
