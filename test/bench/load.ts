/**
 * The callers. A tenant has ten users; a user works with one feature, a tenant with one model. Ids come as they do from
 * a request: read from JSON, so each is a flat string of its own that nobody has hashed yet.
 */
export interface Caller {
  readonly user: string;
  readonly tenant: string;
  readonly feature: string;
  readonly model: string;
}

const USERS_PER_TENANT = 10;
const FEATURES = ['chat', 'summarise', 'embed', 'translate'];
const MODELS = ['large-model', 'medium-model', 'small-model'];

/** The callers with these numbers, in this order. */
export function callers(numbers: readonly number[]): Caller[] {
  const ids: [user: string, tenant: string][] = JSON.parse(JSON.stringify(numbers.map(idsOf)));
  return ids.map(([user, tenant], i) => ({
    user,
    tenant,
    feature: FEATURES[numbers[i] % FEATURES.length],
    model: MODELS[tenantOf(numbers[i]) % MODELS.length],
  }));
}

/** `count` callers out of `users`, at random. */
export function someCallers(users: number, count: number): Caller[] {
  return callers(Array.from({ length: count }, () => Math.floor(Math.random() * users)));
}

function idsOf(number: number): [user: string, tenant: string] {
  return [`usr_${scatter(number)}`, `org_${scatter(tenantOf(number) + 0x5bd1e995)}`];
}

function tenantOf(number: number): number {
  return Math.floor(number / USERS_PER_TENANT);
}

/** 16 digits, different for different numbers. */
function scatter(number: number): number {
  return 1e15 + (Math.imul(number, 0x9e3779b1) >>> 0) * 1e5 + (number % 1e5);
}
