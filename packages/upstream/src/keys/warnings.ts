/** What the operator is told of keys that serve, and will let down. */
import { warn } from '@tollgate/core/options';
import { type KeyOptions, SIGNED_BY_CALLER } from './key.js';
import { parseTime } from './read-keys.js';

const DAY_MS = 86_400_000;
const OLD_DAYS = 90;

/**
 * Warns where an environment has a single key, and this one none; and of keys of over 90 days. `warned` keeps what has been told:
 * once is enough.
 *
 * @param own the environment whose keys alone are used; `undefined` where all are
 */
export function warnOfKeys(
  provider: string,
  keys: readonly KeyOptions[],
  own: string | undefined,
  now: number,
  warned: Set<string>,
): void {
  if (keys.includes(SIGNED_BY_CALLER)) return;
  const warnOnce = (what: string, code: string, message: string) => {
    if (!warned.has(what)) warn(code, message);
    warned.add(what);
  };
  if (own !== undefined && !keys.some(({ environment }) => environment === undefined || environment === own)) {
    const message = `Provider '${provider}' has no key for '${own}', where it is: it serves no call.`;
    warnOnce(`none ${provider}`, 'TOLLGATE_SINGLE_KEY', message);
  }
  for (const environment of new Set(keys.map((key) => key.environment))) {
    const here = keys.filter((key) => key.environment === environment || key.environment === undefined);
    if (here.length > 1) continue;
    const place = environment === undefined ? '' : ` for '${environment}'`;
    const message = `Provider '${provider}' has a single key${place}: nothing stands in for it when it is refused or replaced.`;
    warnOnce(`single ${provider} ${environment}`, 'TOLLGATE_SINGLE_KEY', message);
  }
  for (const { name, createdAt } of keys) {
    const days = Math.floor((now - (parseTime(createdAt) ?? now)) / DAY_MS);
    if (days <= OLD_DAYS) continue;
    const message = `Key '${name}' of provider '${provider}' is ${days} days old: replace it at least every ${OLD_DAYS} days.`;
    warnOnce(`old ${provider} ${name}`, 'TOLLGATE_OLD_KEY', message);
  }
}

/** Warns of a key that the provider has refused, likewise. */
export function warnOfRefusal(provider: string, key: string, warned: Set<string>): void {
  const what = `refused ${provider} ${key}`;
  if (!warned.has(what)) {
    warn('TOLLGATE_KEY_REFUSED', `Provider '${provider}' refuses key '${key}': it is wrong, or has been revoked.`);
  }
  warned.add(what);
}
