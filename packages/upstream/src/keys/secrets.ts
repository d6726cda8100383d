/** Where secrets come from. No error names one, and nothing here shows one: they live in closures alone. */
import { readFile } from 'node:fs/promises';
import { type Clock, type Duration, systemClock, TollgateError } from '@tollgate/core';
import { parseDuration } from '@tollgate/core/options';
import { A_DURATION, createReader } from '../options-reader.js';
import type { SecretSource } from './key.js';

/** What can stand in a header. Line breaks would end it, and be told in an error that shows it all. */
const SECRET = /^[\x21-\x7e]{1,8192}$/;

const UNAVAILABLE = 'TOLLGATE_SECRET_UNAVAILABLE';

/** How long what is held goes on after its source has failed, before that is asked again: 10 seconds. */
const RETRY_MS = 10_000;

/** How long a source may take: 10 seconds. */
const LONGEST_MS = 10_000;

/**
 * The secret in an environment variable, read each time.
 *
 * @throws TollgateError (what it returns does) `TOLLGATE_SECRET_UNAVAILABLE` where it isn't set, or no secret
 */
export function env(name: string): SecretSource {
  return () => {
    const value = process.env[name];
    if (value === undefined) throw unavailable(`the environment variable ${name} is not set`);
    return checkSecret(value, `the environment variable ${name}`);
  };
}

/**
 * The secret in a file, read each time, without white space around it.
 *
 * @throws TollgateError (what it returns does) `TOLLGATE_SECRET_UNAVAILABLE` where it can't be read, or is no secret
 */
export function file(path: string): SecretSource {
  return async () => {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      throw unavailable(`the file ${path} can't be read (${error.code ?? 'unknown'})`);
    });
    return checkSecret(text.trim(), `the file ${path}`);
  };
}

export interface CacheOptions {
  /** How long what was given is used before it is asked for again: 5 minutes unless given. */
  readonly ttl?: Duration | undefined;
  readonly clock?: Clock | undefined;
}

/**
 * A source that remembers what it was given. All who ask at one time share one asking. Where the source fails, or takes more
 * than 10 seconds, what is held goes on, and the source is asked again after 10 seconds. Who asks for a fresh secret gets what was asked for since.
 *
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID`; what it returns throws `TOLLGATE_SECRET_UNAVAILABLE`, with nothing of what
 * the source gave or said
 */
export function cached(source: SecretSource, options: CacheOptions = {}): SecretSource {
  const { ttl = '5m', clock = systemClock } = options;
  const reader = createReader();
  reader.noOtherFields('cached', options, ['ttl', 'clock']);
  const ttlMs = reader.read('cached.ttl', ttl, A_DURATION, parseDuration);
  reader.read(
    'cached.source',
    source,
    'a function that gives a secret',
    (given) => typeof given === 'function' || undefined,
  );
  reader.throwProblems();

  let held: { readonly secret: string; readonly turn: number; readonly staleAt: number } | undefined;
  let turns = 0;

  async function ask(fresh: boolean): Promise<string> {
    const turn = ++turns;
    const secret = await askSource(source, fresh, clock);
    // An answer that was overtaken may be the secret from before a rotation.
    if (held === undefined || held.turn < turn) held = { secret, turn, staleAt: clock.now() + ttlMs };
    return secret;
  }
  const usual = shared(() => ask(false));
  const fresh = shared(() => ask(true));

  return async (options) => {
    if (options?.fresh) return fresh();
    if (held !== undefined && clock.now() < held.staleAt) return held.secret;
    try {
      return await usual();
    } catch (error) {
      if (held === undefined) throw error;
      held = { ...held, staleAt: clock.now() + RETRY_MS };
      return held.secret;
    }
  };
}

/** When sources last had no other secret than one that was refused. */
const inVain = new WeakMap<SecretSource, number>();

/**
 * The secret to use in place of one that the provider has refused: asked for anew, unless somebody has done so since. Where
 * that was in vain the source is left alone for 10 seconds: some refusals are what clients have provoked.
 *
 * @param source a cached one
 * @returns `undefined` where there is none but that
 * @throws TollgateError `TOLLGATE_SECRET_UNAVAILABLE`
 */
export async function askAnother(
  source: SecretSource,
  refused: string,
  clock: Clock = systemClock,
): Promise<string | undefined> {
  const held = await source();
  if (held !== refused) return held;
  if (clock.now() - (inVain.get(source) ?? Number.NEGATIVE_INFINITY) < RETRY_MS) return undefined;
  let secret = refused;
  try {
    secret = await source({ fresh: true });
  } finally {
    if (secret === refused) inVain.set(source, clock.now());
  }
  return secret === refused ? undefined : secret;
}

async function askSource(source: SecretSource, fresh: boolean, clock: Clock): Promise<string> {
  try {
    return checkSecret(await inTime(source({ fresh }), clock), 'what its source gave');
  } catch (error) {
    const isOwn = error instanceof TollgateError && error.code === UNAVAILABLE;
    throw isOwn ? error : unavailable(`its source failed with ${nameOf(error)}`);
  }
}

function inTime<T>(given: T | Promise<T>, clock: Clock): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(unavailable('its source has not answered in time'));
    const stop = clock.after(LONGEST_MS, late);
    Promise.resolve(given).then(resolve, reject).finally(stop);
  });
}

/** Runs a task for all who ask for it while it runs. */
function shared<T>(task: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => {
    running ??= task().finally(() => {
      running = undefined;
    });
    return running;
  };
}

function checkSecret(value: unknown, whose: string): string {
  if (typeof value === 'string' && SECRET.test(value)) return value;
  if (value === '') throw unavailable(`${whose} is empty`);
  throw unavailable(`${whose} is no secret of 1 to 8192 printable ASCII characters without spaces and line breaks`);
}

function unavailable(why: string): TollgateError {
  return new TollgateError(UNAVAILABLE, `There is no secret to send: ${why}.`);
}

/** Of what others threw only the class is told: the message may bear what they asked with, or what they got. */
function nameOf(error: unknown): string {
  const name = error instanceof Error ? error.name : '';
  return /^\w{1,60}$/.test(name) ? name : 'something that is no error';
}
