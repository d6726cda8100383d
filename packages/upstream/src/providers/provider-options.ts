/** What a user configures of a provider, and how it is read. */
import type { Count } from '@tollgate/core';
import { A_NAME, isRecord, parseCount, parseName } from '@tollgate/core/options';
import type { KeyOptions } from '../keys/key.js';
import { readKeys } from '../keys/read-keys.js';
import { createReader, type OptionsReader, parseRecord } from '../options-reader.js';
import { type HeadroomUnit, type HeadroomWindow, type Limits, type Provider, UNITS, WINDOWS } from './provider.js';

/** Limits as they are configured, by window and unit: `{ minute: { requests: 500, tokens: '200k' } }`. */
export type LimitOptions = { readonly [W in HeadroomWindow]?: { readonly [U in HeadroomUnit]?: Count } };

export interface ProviderOptions {
  readonly keys: readonly KeyOptions[];
  /** What each key is allowed, by model or `default` for all others. What is left out is learned from answers. */
  readonly limits?: { readonly [model: string]: LimitOptions } | undefined;
  /** Requests for URLs below it are sent with these keys. */
  readonly baseUrl?: string | undefined;
  /** Unique in an upstream; the provider's own name unless given. */
  readonly name?: string | undefined;
  /**
   * Streams are asked for their usage where clients don't ask, `true` unless given. `false` is for servers that refuse such
   * calls, and takes out what clients ask for: streams are counted by the text that passes, unless they tell unasked.
   */
  readonly askUsage?: boolean | undefined;
  /** By what to count a model, where you know better which of them share limits. */
  readonly family?: ((model: string) => string) | undefined;
}

/** What is made of them, and what holds where they say nothing. */
export type Configured = Pick<Provider, 'name' | 'baseUrl' | 'keys' | 'limits' | 'family'>;
export type Defaults = Pick<Provider, 'name' | 'family'> & { readonly baseUrl: string | undefined };

const FIELDS = ['keys', 'limits', 'baseUrl', 'name', 'askUsage', 'family'];

const A_COUNT = "a number from 0 to 2^53 - 1, or such as '200k' or '1.5M'";
const A_URL = 'an http: or https: URL without user, password, query and fragment';
const LIMITS = "limits by model or 'default', such as { default: { minute: { requests: 500, tokens: '200k' } } }";
const BY_WINDOW = `limits by window (${WINDOWS.join(', ')}), such as { minute: { requests: 500 } }`;
const BY_UNIT = `limits by unit (${UNITS.join(', ')}), such as { requests: 500, tokens: '200k' }`;

/** @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem */
export function readProvider(options: ProviderOptions, defaults: Defaults): Configured {
  const given: { readonly [F in keyof ProviderOptions]?: unknown } = isRecord(options) ? options : {};
  const reader = createReader();
  const at = parseName(given.name) ?? defaults.name;
  const family = reader.read(
    `${at}.family`,
    given.family ?? defaults.family,
    'a function (model) => string',
    parseFamily,
  );
  const configured = {
    name: reader.read(`${at}.name`, given.name ?? defaults.name, A_NAME, parseName),
    baseUrl: reader.readSecret(`${at}.baseUrl`, given.baseUrl ?? defaults.baseUrl, A_URL, parseUrl),
    keys: readKeys(`${at}.keys`, given.keys, reader),
    limits: readLimits(`${at}.limits`, given.limits ?? {}, family ?? defaults.family, reader),
    family,
  };
  const isBoolean = (value: unknown) => (typeof value === 'boolean' ? true : undefined);
  reader.read(`${at}.askUsage`, given.askUsage ?? true, 'true or false', isBoolean);
  reader.noOtherFields(at, given, FIELDS);
  reader.throwProblems();
  return configured;
}

/** By family, whichever of its models they were given by. */
function readLimits(
  path: string,
  value: unknown,
  family: Provider['family'],
  reader: OptionsReader,
): Provider['limits'] {
  const models = Object.entries(reader.read(path, value, LIMITS, parseRecord) ?? {});
  const families = new Map<string, Limits>();
  for (const [model, limits] of models) {
    const name = model === 'default' ? model : family(model);
    const isFirst = (limits: unknown) => (families.has(name) ? undefined : parseRecord(limits));
    const expected = families.has(name) ? `nothing: '${name}' has limits already` : BY_WINDOW;
    const byWindow = reader.read(`${path}.${model}`, limits, expected, isFirst);
    families.set(
      name,
      readFields(`${path}.${model}`, byWindow, WINDOWS, reader, (at, byUnit) => {
        const units = reader.read(at, byUnit, BY_UNIT, parseRecord);
        return readFields(at, units, UNITS, reader, (at, count) => reader.read(at, count, A_COUNT, parseFinite));
      }),
    );
  }
  // Without a prototype, as models may have any name.
  return Object.assign(Object.create(null), Object.fromEntries(families));
}

function readFields<K extends string, T>(
  path: string,
  value: Readonly<Record<string, unknown>> | undefined,
  fields: readonly K[],
  reader: OptionsReader,
  read: (path: string, value: unknown) => T,
): { [F in K]?: T } {
  reader.noOtherFields(path, value, fields);
  const given = fields.filter((field) => value?.[field] !== undefined);
  return Object.fromEntries(given.map((field) => [field, read(`${path}.${field}`, value?.[field])])) as {
    [F in K]?: T;
  };
}

function parseFinite(value: unknown): number | undefined {
  const count = parseCount(value);
  return Number.isFinite(count) ? count : undefined;
}

function parseFamily(value: unknown): Provider['family'] | undefined {
  return typeof value === 'function' ? (value as Provider['family']) : undefined;
}

/** Without a slash at its end. */
function parseUrl(value: unknown): string | undefined {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) return undefined;
  if (url.username || url.password || url.search || url.hash) return undefined;
  return url.href.replace(/\/+$/, '');
}
