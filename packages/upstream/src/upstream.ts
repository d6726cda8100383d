/** The upstream. Its stages, in order: whose is the URL, who pays, what serves it, what came of it. */
import { TollgateError } from '@tollgate/core';
import { answerTo, type Site } from './call.js';
import { understood } from './clients.js';
import { createUpstreamEmitter, type UpstreamEmitter } from './events.js';
import { createHeadroomGate } from './headroom/headroom.js';
import { createHealth } from './health/health.js';
import { inspectUpstream, type UpstreamState } from './inspection.js';
import type { KeyOptions } from './keys/key.js';
import { beginCall, createPool, type KeyPool, setKeys } from './keys/pool.js';
import { readKeys } from './keys/read-keys.js';
import { warnOfKeys } from './keys/warnings.js';
import { checkCaps, readUpstreamOptions, type UpstreamOptions } from './options.js';
import { createReader } from './options-reader.js';
import { type Behalf, openPayer, readBehalf } from './payer.js';
import { fromFault, fromGate, noAdmission, refusalResponse, unknownProvider } from './refusals.js';
import { type Asked, askedOf, isReading, providerOf, readRequest, type UpstreamRequest } from './request.js';
import { heeding } from './signals.js';
import { keyOf, noWay, poolOf, type Roads, waysOf } from './ways.js';

export interface Upstream {
  /**
   * What fetch does, for URLs of the providers: with a key of theirs, within their limits, and on the account of the admission
   * that the code runs under. Calls that can't be made are answered by a refusal, in the shape of the provider's own errors and
   * with the header `tollgate-refused`. Rejects as fetch does where the caller's signal aborts.
   */
  readonly fetch: typeof globalThis.fetch;
  /** A fetch that charges the subject you name, for calls that are made outside any admission, such as those of jobs. */
  as(behalf: Behalf): Pick<Upstream, 'fetch'>;
  /**
   * Replaces all keys of a provider. Calls that are under way finish with the key that they have; new calls use these.
   *
   * @throws TollgateError `TOLLGATE_CONFIG_INVALID`, and nothing is changed
   */
  rotate(provider: string, keys: readonly KeyOptions[]): void;
  /** Calls `listener` for each such event. Returns a function that stops it, safe to call twice. */
  on: UpstreamEmitter['on'];
  /** How providers, their keys and the line stand. Rejects where the store fails. */
  inspect(): Promise<UpstreamState>;
  /** Sends nothing more, and refuses the calls that wait. The gate that it was made for stays open. */
  close(): Promise<void>;
}

const DAY_MS = 86_400_000;

/** @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem */
export function createUpstream(options: UpstreamOptions): Upstream {
  const { gate, providers, standIns, degrade, environment, timeoutMs, maxWait, slots, prices, fetch } =
    readUpstreamOptions(options);
  const { clock, store } = gate;
  const emitter = createUpstreamEmitter();
  const health = createHealth(emitter);
  const pools = new Map([...providers.values()].map(({ name, keys }) => [name, createPool(keys, clock)]));
  const roads: Roads = { providers, pools, standIns, environment, health };
  const capOf = (way: string) => keyOf(roads, way)?.dailyBudget;
  const name = `${gate.name}:upstream`;
  const site: Site = {
    clock,
    timeoutMs,
    // Looked up for each call, as apps and their tools replace the global one.
    fetch: (...args) => (fetch ?? globalThis.fetch)(...args),
    headroom: createHeadroomGate({ name, store, clock, providers, maxWait, slots, prices, capOf }),
    health,
    emitter,
    waysOf: ({ provider }, model) => waysOf(roads, provider, model, clock.now()),
    begin: ({ provider, key }) => beginCall(poolOf(roads, provider.name), key),
    noWay: ({ provider }, model) => noWay(roads, provider, model, clock.now()),
  };
  const warned = new Set<string>();
  const warnOfPool = (name: string, { keys }: KeyPool) => {
    const staying = keys.filter(({ isLeaving }) => !isLeaving).map(({ configured }) => configured);
    warnOfKeys(name, staying, environment, clock.now(), warned);
  };
  let stopWarning = () => {};
  /** Repeated every day, as keys grow old while they are in use. */
  const warnDaily = () => {
    for (const [name, pool] of pools) warnOfPool(name, pool);
    stopWarning = clock.after(DAY_MS, warnDaily);
  };
  warnDaily();

  async function answer(behalf: Behalf | undefined, request: UpstreamRequest): Promise<Response> {
    const provider = providerOf(request.url, providers.values());
    if (provider === undefined) return refusalResponse(unknownProvider(request.url, providers.values()));
    try {
      return await answerOf(behalf, await askedOf(request, provider));
    } catch (error) {
      if (error instanceof TollgateError) return refusalResponse(fromFault(error), provider.format);
      throw error;
    }
  }

  async function answerOf(behalf: Behalf | undefined, asked: Asked): Promise<Response> {
    const { request, provider, call } = asked;
    if (call === undefined && isReading(request)) {
      return answerTo(site, {
        asked,
        payer: undefined,
        model: undefined,
        signal: request.signal,
        close: async () => {},
        release: () => {},
      });
    }
    const opened = await openPayer(gate, behalf && { ...behalf, degrade: degrade && behalf.degrade }, call, request);
    if (opened === undefined) return refusalResponse(noAdmission(), provider.format);
    if ('refusal' in opened) return refusalResponse(fromGate(opened.refusal), provider.format);
    const { payer } = opened;
    const isRung = degrade && payer.rung !== undefined && payer.request.model === call?.model;
    const { signal, release } = heeding([request.signal, payer.signal]);
    const model = (isRung && call ? payer.rung : call?.model) || undefined;
    return answerTo(site, { asked, payer, model, signal, close: payer.close, release });
  }

  const fetchFor = (behalf?: Behalf): Pick<Upstream, 'fetch'> => ({
    fetch: (async (input, init) => {
      const request = readRequest(input, init);
      return understood(await answer(behalf, request), request.headers);
    }) as typeof globalThis.fetch,
  });
  return {
    ...fetchFor(),
    as: (behalf) => fetchFor(readBehalf(behalf)),
    rotate(name, keys) {
      const reader = createReader();
      const pool = reader.read('provider', name, `one of ${[...pools.keys()].join(', ')}`, (name) =>
        pools.get(String(name)),
      );
      const read = readKeys('keys', keys, reader);
      checkCaps(read, prices, reader);
      reader.throwProblems();
      setKeys(pool, read);
      warnOfPool(name, pool);
    },
    on: emitter.on,
    inspect: () => inspectUpstream(roads, site.headroom, clock.now()),
    close() {
      stopWarning();
      return site.headroom.close();
    },
  };
}
