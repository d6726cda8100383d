/** `keys`: creates, rotates, revokes and lists the API keys of a ring. */
import {
  type IssuedKey,
  type KeyLimits,
  type KeyRing,
  type KeyRingOptions,
  keyRing,
  type NewKey,
} from '@tollgate/core/keys';
import { exportedBy, UsageError } from '../config-file.js';
import { jsonText, type OutputOptions, table } from '../output.js';

export interface CreateOptions extends OutputOptions {
  readonly service: string;
  readonly environment?: string;
  readonly user?: string;
  readonly tenant?: string;
  readonly plan?: string;
  readonly routes?: string[];
  readonly features?: string[];
  readonly models?: string[];
  readonly limit?: string[];
  readonly expiresIn?: string;
}

export interface RotateOptions extends OutputOptions {
  readonly overlap?: string;
  readonly expiresIn?: string;
}

export async function createKeyCommand(file: string, options: CreateOptions): Promise<string> {
  const { service, environment, user, tenant, plan, routes, features, models, limit, expiresIn } = options;
  const key = {
    service,
    environment,
    ...given({ expiresIn }),
    subject: given({ user, tenant, plan }),
    scopes: given({ routes, features, models }),
    limits: limitsOf(limit ?? []),
  };
  return issuedText(await withRing(file, (ring) => ring.create(key as NewKey<KeyLimits>)), options);
}

export async function rotateKeyCommand(file: string, id: string, options: RotateOptions): Promise<string> {
  const { overlap, expiresIn } = options;
  const rotation = {
    ...given({ expiresIn }),
    ...(overlap !== undefined && { overlap: overlap === '0' ? 0 : overlap }),
  };
  return issuedText(await withRing(file, (ring) => ring.rotate(id, rotation as object)), options);
}

export async function revokeKeyCommand(file: string, id: string, { json }: OutputOptions): Promise<string> {
  const key = await withRing(file, (ring) => ring.revoke(id));
  return json
    ? jsonText(key)
    : `Key ${key.id} of ${key.service} is revoked: it will be refused everywhere within a second.\n`;
}

export async function listKeysCommand(file: string, { json }: OutputOptions): Promise<string> {
  const keys = await withRing(file, (ring) => ring.list());
  if (json) return jsonText(keys);
  const now = Date.now();
  const rows = keys.map(({ id, service, environment, subject, expiresAt, revokedAt, successor, uses, lastUsedAt }) => {
    const whose = subject.user ?? subject.tenant ?? '–';
    const state = revokedAt !== undefined ? 'revoked' : expiresAt <= now ? 'expired' : successor ? 'rotated' : 'live';
    return [id, service, environment, String(whose), state, dateOf(expiresAt), uses, dateOf(lastUsedAt)];
  });
  const head = ['id', 'service', 'environment', 'whose', 'state', 'until', 'uses', 'last used'];
  return table(head, rows) || 'There are no keys.\n';
}

/** Calls `work` with the ring that a module configures, and closes it. */
async function withRing<T>(file: string, work: (ring: KeyRing) => Promise<T>): Promise<T> {
  const options = await exportedBy(file, 'keys');
  if (typeof options !== 'object' || options === null || 'verify' in options) {
    throw new UsageError(`${file} has no key ring: export as default, or as 'keys', what keyRing is given.`);
  }
  const ring = keyRing(options as KeyRingOptions<KeyLimits>);
  const { store } = options as KeyRingOptions<KeyLimits>;
  if (store.shared === undefined) {
    throw new UsageError(
      `${file} keeps keys in memory, where they would end with this command. Its store has to be Redis.`,
    );
  }
  try {
    return await work(ring);
  } finally {
    await ring.close();
    await store.close();
  }
}

function issuedText(issued: IssuedKey, { json }: OutputOptions): string {
  const { key } = issued;
  if (json) return jsonText({ ...key, text: issued.reveal() });
  return `${issued.reveal()}\n\nThis is key ${key.id} of ${key.service}, until ${dateOf(key.expiresAt)}. It is not shown again.\n`;
}

/** `['spend=$5']` as `{ spend: '$5' }`. */
function limitsOf(limits: readonly string[]): Record<string, string | number> {
  return Object.fromEntries(
    limits.map((limit) => {
      const [, name, value] = /^([^=]+)=(.+)$/.exec(limit) ?? [];
      if (name === undefined)
        throw new UsageError(`--limit: got '${limit}'; expected a name and a value such as spend=$5`);
      return [name, Number.isNaN(Number(value)) ? value : Number(value)];
    }),
  );
}

function given<T extends Record<string, unknown>>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}

function dateOf(at: number | undefined): string {
  return at === undefined ? '–' : new Date(at).toISOString().slice(0, 16).replace('T', ' ');
}
