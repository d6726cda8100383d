/**
 * The callers. A user works with one feature, a tenant with one model. Ids come as they do from a request: read from JSON, so
 * each is a flat string of its own that nobody has hashed yet.
 */
export interface Caller {
  readonly user: string;
  readonly tenant: string;
  readonly feature: string;
  readonly model: string;
}

const USERS_PER_TENANT = 10;
const FEATURES = 'chat summarise embed translate classify extract search rewrite title moderate'.split(' ');
const MODELS = ['large-model', 'medium-model', 'small-model'];

/** The callers with these numbers, in this order. @param perTenant users of a tenant */
export function callers(numbers: readonly number[], perTenant = USERS_PER_TENANT): Caller[] {
  const tenantOf = (number: number) => Math.floor(number / perTenant);
  const all = numbers.map((number) => [`usr_${scatter(number)}`, `org_${scatter(tenantOf(number) + 0x5bd1e995)}`]);
  const ids: string[][] = JSON.parse(JSON.stringify(all));
  return ids.map(([user, tenant], i) => ({
    user,
    tenant,
    feature: FEATURES[numbers[i] % FEATURES.length],
    model: MODELS[tenantOf(numbers[i]) % MODELS.length],
  }));
}

/** `count` callers out of `users`, at random. */
export function someCallers(users: number, count: number, perTenant?: number): Caller[] {
  const numbers = Array.from({ length: count }, () => Math.floor(Math.random() * users));
  return callers(numbers, perTenant);
}

/** 16 digits, different for different numbers. */
function scatter(number: number): number {
  return 1e15 + (Math.imul(number, 0x9e3779b1) >>> 0) * 1e5 + (number % 1e5);
}
