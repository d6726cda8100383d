/** What `createUpstream` takes, and how it is read. */
import {
  type AdaptiveLimit,
  concurrency,
  createTollgate,
  type Duration,
  memoryStore,
  type QueueOptions,
  type Tollgate,
  type TollgateConfig,
  TollgateError,
} from '@tollgate/core';
import { A_NAME, isRecord, parseDuration, parseName } from '@tollgate/core/options';
import type { KeyOptions } from './keys/key.js';
import { A_DURATION, createReader, type OptionsReader, parseRecord } from './options-reader.js';
import type { Provider } from './providers/provider.js';
import type { StandIn } from './ways.js';

export interface UpstreamOptions {
  /** Whose admissions pay, and in whose store is kept what providers have left. */
  gate: Tollgate;
  /** At least one, such as `openai({ keys })`. Each serves the URLs below its base URL. */
  providers: readonly Provider[];
  /** By provider, who stands in for it where it has no room or no answer, in their order. Nobody unless given. */
  failover?: { readonly [provider: string]: readonly StandIn[] } | undefined;
  /** Puts the cheaper model into the body of a call whose admission is served by one. `false` unless given. */
  degrade?: boolean | undefined;
  /**
   * How long a call waits for headroom at most, by the priority of its admission; as long as in a gate's line unless given:
   * 10 s for `interactive`, 30 s for `standard`. It never waits longer than the caller's own signal lets it.
   */
  maxWait?: QueueOptions['maxWait'] | undefined;
  /** How many calls a provider has at once. Begins with 10 and follows what the provider bears, up to 1000, unless given. */
  concurrency?: number | AdaptiveLimit | undefined;
  /** How long an answer may take to begin before the call goes on to its next way. As long as it takes unless given. */
  timeout?: Duration | undefined;
  /** Keys of another environment aren't used. All are unless given. */
  environment?: string | undefined;
  /** What models cost, such as `catalogPrices()`: needed where a key has a daily budget, which every model is priced for then. */
  prices?: TollgateConfig['prices'] | undefined;
  /** What sends; the global fetch unless given. */
  fetch?: typeof globalThis.fetch | undefined;
}

/** Options as they are meant. */
export interface ReadOptions extends Pick<UpstreamOptions, 'gate' | 'environment' | 'fetch' | 'maxWait' | 'prices'> {
  readonly providers: ReadonlyMap<string, Provider>;
  readonly standIns: ReadonlyMap<string, readonly StandIn[]>;
  readonly degrade: boolean;
  readonly timeoutMs: number | undefined;
  readonly slots: UpstreamOptions['concurrency'];
}

const FIELDS = [
  'gate',
  'providers',
  'failover',
  'degrade',
  'maxWait',
  'concurrency',
  'timeout',
  'environment',
  'prices',
  'fetch',
];
const FUNCTIONS = ['family', 'authorize', 'readings', 'failure'] as const;

type Given = { readonly [F in keyof UpstreamOptions]?: unknown };

/** @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem */
export function readUpstreamOptions(options: UpstreamOptions): ReadOptions {
  const reader = createReader();
  const given: Given = isRecord(options) ? options : {};
  const providers = readProviders(given.providers, reader);
  const read = {
    gate: reader.read('gate', given.gate, 'what createTollgate(…) returns', parseGate),
    providers,
    standIns: readFailover(given.failover ?? {}, providers, reader),
    degrade: reader.read('degrade', given.degrade ?? false, 'true or false', parseBoolean),
    timeoutMs: optional(given.timeout, (value) => reader.read('timeout', value, A_DURATION, parseDuration)),
    environment: optional(given.environment, (value) => reader.read('environment', value, A_NAME, parseName)),
    fetch: optional(given.fetch, (value) => reader.read('fetch', value, 'a function such as fetch', parseFetch)),
    maxWait: options?.maxWait,
    slots: options?.concurrency,
    prices: options?.prices,
  };
  for (const { path, value, expected } of problemsByCore(read)) reader.read(path, value, expected, () => undefined);
  for (const { keys } of providers.values()) checkCaps(keys, given.prices, reader);
  reader.noOtherFields('upstream', given, FIELDS);
  reader.throwProblems();
  return read;
}

/** What is spent with a key is known by prices alone. */
export function checkCaps(keys: readonly KeyOptions[], prices: unknown, reader: OptionsReader): void {
  const capped = keys.find(({ dailyBudget }) => dailyBudget !== undefined);
  if (capped === undefined || prices !== undefined) return;
  const expected = `prices such as catalogPrices(), since key '${capped.name}' has a daily budget`;
  reader.read('prices', prices, expected, () => undefined);
}

function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === undefined ? undefined : read(value);
}

function readProviders(value: unknown, reader: OptionsReader): ReadonlyMap<string, Provider> {
  const expected = 'a list of at least one provider, such as [openai({ keys })]';
  const list = reader.read('providers', value, expected, (list) =>
    Array.isArray(list) && list.length > 0 ? list : undefined,
  );
  const providers = new Map<string, Provider>();
  for (const [i, one] of (list ?? []).entries()) {
    const provider = reader.readSecret(`providers[${i}]`, one, 'what openai({ keys }) or such returns', parseProvider);
    if (provider === undefined) continue;
    const isOwn = (name: unknown) => (providers.has(String(name)) ? undefined : true);
    reader.read(`providers[${i}].name`, provider.name, 'a name of its own: another provider has this one', isOwn);
    providers.set(provider.name, provider);
  }
  return providers;
}

function readFailover(
  value: unknown,
  providers: ReadonlyMap<string, Provider>,
  reader: OptionsReader,
): ReadonlyMap<string, readonly StandIn[]> {
  const byName = reader.read('failover', value, "a map such as { openai: [{ provider: 'azure' }] }", parseRecord);
  const names = [...providers.keys()].map((name) => `'${name}'`).join(', ');
  for (const [name, standIns] of Object.entries(byName ?? {})) {
    const at = `failover.${name}`;
    const provider = providers.get(name);
    reader.read(at, name, `the name of a provider: ${names}`, () => provider);
    const list = reader.read(at, standIns, "a list such as [{ provider: 'azure', models: { … } }]", parseList) ?? [];
    for (const [i, standIn] of list.entries()) readStandIn(`${at}[${i}]`, standIn, provider, providers, reader);
  }
  return new Map(Object.entries(byName ?? {})) as ReadonlyMap<string, readonly StandIn[]>;
}

function readStandIn(
  at: string,
  value: unknown,
  provider: Provider | undefined,
  providers: ReadonlyMap<string, Provider>,
  reader: OptionsReader,
): void {
  const given = reader.read(at, value, "an object such as { provider: 'azure' }", parseRecord);
  if (given === undefined) return;
  const { provider: name, models } = given;
  const other = typeof name === 'string' ? providers.get(name) : undefined;
  const isOther = () => (other === provider ? undefined : other);
  reader.read(`${at}.provider`, name, 'the name of another provider', isOther);
  const format = provider?.format.name;
  const speaks = () => (other === undefined || other.format.name === format ? true : undefined);
  reader.read(`${at}.provider`, name, `one of the same wire format, which is '${format}'`, speaks);
  optional(models, (models) => {
    const expected = "a map from models that are asked for to its own, such as { 'gpt-5': 'my-gpt-5' }";
    reader.read(`${at}.models`, models, expected, parseModels);
  });
  reader.noOtherFields(at, value, ['provider', 'models']);
}

/** What the gate of headroom takes is checked by making one. */
function problemsByCore({ maxWait, slots, prices }: Pick<ReadOptions, 'maxWait' | 'slots' | 'prices'>) {
  try {
    createTollgate<string, string, string, string, string>({
      store: memoryStore(),
      limits: [concurrency({ name: 'slots', limit: slots ?? 1 })],
      queue: maxWait === undefined ? {} : { maxWait },
      ...(prices !== undefined && { prices }),
    });
    return [];
  } catch (error) {
    if (!(error instanceof TollgateError)) throw error;
    const paths = [
      [/^queue\.maxWait/, 'maxWait'],
      [/^limits\[0\]\.limit/, 'concurrency'],
    ] as const;
    return error.problems.map(({ path, ...problem }) => ({
      ...problem,
      path: paths.reduce((path, [theirs, ours]) => path.replace(theirs, ours), path),
    }));
  }
}

function parseGate(value: unknown): Tollgate | undefined {
  const isGate = isRecord(value) && typeof value.admit === 'function' && isRecord(value.store) && isRecord(value.clock);
  return isGate ? (value as unknown as Tollgate) : undefined;
}

function parseProvider(value: unknown): Provider | undefined {
  if (!isRecord(value) || !isRecord(value.format) || !Array.isArray(value.keys)) return undefined;
  if (typeof value.name !== 'string' || typeof value.baseUrl !== 'string' || !URL.canParse(value.baseUrl))
    return undefined;
  return FUNCTIONS.every((name) => typeof value[name] === 'function') ? (value as unknown as Provider) : undefined;
}

function parseList(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? value : undefined;
}

function parseModels(value: unknown): StandIn['models'] | undefined {
  return isRecord(value) && Object.values(value).every((model) => typeof model === 'string' && model !== '')
    ? (value as StandIn['models'])
    : undefined;
}

function parseBoolean(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}

function parseFetch(value: unknown): typeof globalThis.fetch | undefined {
  return typeof value === 'function' ? (value as typeof globalThis.fetch) : undefined;
}
