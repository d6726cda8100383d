/** Reads keys as they are configured. */
import { A_NAME, isRecord, parseMoney, parseName } from '@tollgate/core/options';
import { type OptionsReader, parseRecord } from '../options-reader.js';
import type { KeyOptions } from './key.js';

const FIELDS = ['name', 'secret', 'weight', 'dailyBudget', 'createdAt', 'environment'];

const KEYS = 'a list of at least one key, such as [{ name, secret }]';
const A_KEY = 'an object such as { name, secret }';
const A_SECRET = "where it comes from, such as env('NAME'), file('/path') or a function";
const DOLLARS = "dollars from '$0' to '$9007199', such as '$50'";
const A_TIME = "a date, such as '2026-01-31', or milliseconds since 1970";
const AN_OWN_NAME = `${A_NAME}, that no other key of the provider has`;

/** Notes what is wrong with the keys of a provider. Of what may be a secret in the wrong place nothing is shown. */
export function readKeys(path: string, keys: unknown, reader: OptionsReader): readonly KeyOptions[] {
  const list = reader.readSecret(path, keys, KEYS, parseList) ?? [];
  for (const [i, key] of list.entries()) readKey(`${path}[${i}]`, key, list.slice(0, i), reader);
  return list as readonly KeyOptions[];
}

function readKey(path: string, value: unknown, others: readonly unknown[], reader: OptionsReader): void {
  const key: { readonly [F in keyof KeyOptions]?: unknown } | undefined = reader.readSecret(
    path,
    value,
    A_KEY,
    parseRecord,
  );
  if (key === undefined) return;
  const { name, weight, dailyBudget, createdAt, environment, secret } = key;
  const isTaken = (name: unknown) => others.some((other) => isRecord(other) && other.name === name);
  reader.readSecret(`${path}.name`, name, AN_OWN_NAME, (name) => (isTaken(name) ? undefined : parseName(name)));
  reader.readSecret(`${path}.secret`, secret, A_SECRET, (secret) => typeof secret === 'function' || undefined);
  if (weight !== undefined) reader.read(`${path}.weight`, weight, 'a number above 0, at most 1000', parseWeight);
  if (dailyBudget !== undefined) reader.read(`${path}.dailyBudget`, dailyBudget, DOLLARS, parseMoney);
  if (createdAt !== undefined) reader.read(`${path}.createdAt`, createdAt, A_TIME, parseTime);
  if (environment !== undefined) reader.read(`${path}.environment`, environment, A_NAME, parseName);
  reader.noOtherFields(path, key, FIELDS);
}

function parseList(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) && value.length > 0 ? value : undefined;
}

function parseWeight(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 && value <= 1000 ? value : undefined;
}

/** Milliseconds since 1970. */
export function parseTime(value: unknown): number | undefined {
  const date = value instanceof Date || typeof value === 'string' ? new Date(value).getTime() : value;
  return typeof date === 'number' && Number.isFinite(date) ? date : undefined;
}
