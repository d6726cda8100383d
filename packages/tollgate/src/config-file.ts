/** Loads modules that people name on the command line: configurations and mappings, in JavaScript, TypeScript or JSON. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { TollgateConfig } from '@tollgate/core';
import { createJiti } from 'jiti';

/** A mistake in what somebody typed: reported without a stack. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * The configuration that a module has as its default export, or as `config`: what `createTollgate` is given, or a function
 * that returns it.
 *
 * @throws UsageError where there is none
 */
export async function loadConfig(file: string): Promise<TollgateConfig> {
  const exported = await exportedBy(file, 'config');
  const config: unknown = typeof exported === 'function' ? await exported() : exported;
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new UsageError(
      `${file} has no configuration: export as default, or as 'config', what createTollgate is given.`,
    );
  }
  if ('admit' in config && 'decide' in config) {
    throw new UsageError(`${file} exports a gate. Export what createTollgate is given, so that it can be looked at.`);
  }
  return config;
}

/** What a module exports as default, or else by a name. */
export async function exportedBy(file: string, name: string): Promise<unknown> {
  const jiti = createJiti(pathToFileURL(resolve('tollgate.config.js')).href, { interopDefault: false });
  let module: unknown;
  try {
    module = await jiti.import(resolve(file));
  } catch (error) {
    // Node goes on with who required it: a file of ours that does not exist.
    const [why] = (error instanceof Error ? error.message : String(error)).split('\nRequire stack:');
    throw new UsageError(`${file} can't be loaded: ${why}`);
  }
  if (typeof module !== 'object' || module === null) return module;
  const exports = module as Record<string, unknown>;
  return exports.default ?? exports[name] ?? (file.endsWith('.json') ? exports : undefined);
}
