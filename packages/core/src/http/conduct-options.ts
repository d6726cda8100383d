/** How an app has a gate conducted over HTTP, the same for every framework. */
import { z } from 'zod';
import { oneOfNames, type Problem } from '../errors.js';
import type { Tollgate } from '../gate.js';
import type { ApiKey } from '../keys/key.js';
import type { Authenticator } from '../keys/verification.js';
import type { May, Subject } from '../request.js';
import { check, isRecord, optionalFunction } from '../schema.js';
import type { ResponseEnd } from './adapter.js';
import type { HeaderStyle } from './rate-limit-headers.js';
import type { TierName } from './toll.js';
import { assertCalled } from './uncalled.js';

/** Options that all adapters share. `F` is how the app answers refusals in a framework. */
export interface ConductOptions<R, F = never> {
  /**
   * Takes no request past the gate without an API key of this ring, in `Authorization: Bearer` or `x-api-key`: 401, also where
   * a route is free, and for OPTIONS, so CORS has to stand before the gate. What `skip` lets pass needs none. A key's `routes`
   * are looked at as a request enters, its `features` and `models` where a toll stands: 403.
   */
  authenticate?: Authenticator;
  /**
   * On whose behalf a request comes, beyond what its API key says, which holds. Where it fails, the request fails as the
   * app's own error. Unless given, callers are told apart by nothing but their address, where limits count by `ip`.
   *
   * Asked anew at each toll that a request passes, the default tier's included, since who it is may become known in between:
   * what it looks up in a database it should keep on the request.
   */
  identify?: (request: R, key?: ApiKey) => May<Subject | undefined>;
  /** What a route without an annotation costs, whatever its body says. Free unless given. */
  defaultTier?: TierName;
  /** Requests to let pass uncharged. Asked as often as `identify`. */
  skip?: (request: R) => May<boolean>;
  /**
   * `draft` for `RateLimit`, `legacy` for `X-RateLimit-*`, `both`, or `false` for neither, nor for the model that serves;
   * `Retry-After` is sent in any case. `draft` unless given.
   */
  headers?: HeaderStyle;
  /**
   * Responses that give back all that was charged, unless the handler settles. None unless given, else clients could spend
   * by provoking errors. Asked as the response closes, so it can't wait for anything.
   */
  refundOn?: (end: ResponseEnd) => boolean;
  /** Bits of an IPv6 address that tell callers, and who guesses keys, apart, from 32 to 128. 56 unless given. */
  ipv6Prefix?: number;
  /** Answers a refused request in place of problem+json. Status and headers are set already. */
  refuse?: F;
}

const A_PREFIX = 'a whole number from 32 to 128';

const FIELDS = {
  authenticate: z
    .custom((value) => isRecord(value) && typeof value.verify === 'function', {
      error: 'a ring of keys, such as keyRing({ store })',
    })
    .optional(),
  identify: optionalFunction('(request, key) => subject'),
  defaultTier: z.custom((value) => typeof value === 'string' && value !== '', { error: "a tier's name" }).optional(),
  skip: optionalFunction('(request) => boolean'),
  headers: z.literal(['draft', 'legacy', 'both', false], { error: "'draft', 'legacy', 'both' or false" }).optional(),
  refundOn: optionalFunction('({ status, finished }) => boolean'),
  ipv6Prefix: z.int(A_PREFIX).min(32, A_PREFIX).max(128, A_PREFIX).optional(),
  refuse: optionalFunction('(refusal, request, ...) => answer'),
};

const schema = z.strictObject(FIELDS, { error: `an object with any of ${Object.keys(FIELDS).join(', ')}` });

/** @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem, a default tier that the gate lacks included */
export function checkOptions(gate: Tollgate, options: unknown): void {
  assertCalled(gate, 'tollgate', 'gate', 'tollgate(gate)');
  const problems: Problem[] = [];
  const isGate = isRecord(gate) && typeof gate.decide === 'function';
  if (!isGate) problems.push({ path: 'gate', value: gate, expected: 'what createTollgate({ … }) returned' });
  const tier = isRecord(options) ? options.defaultTier : undefined;
  if (isGate && tier && typeof tier === 'string' && !(gate.tiers as ReadonlySet<string>).has(tier)) {
    problems.push({ path: 'defaultTier', value: tier, expected: oneOfNames(gate.tiers) });
  }
  check(schema, options, problems);
}
