/** The upstream. Its stages, in order: whose is the URL, who pays, what serves it, what came of it. */
import { answerTo, type Site } from './call.js';
import { createUpstreamEmitter, type UpstreamEmitter } from './events.js';
import { createHeadroom } from './headroom.js';
import { createHealth } from './health.js';
import type { UpstreamOptions } from './options.js';
import { type Behalf, openPayer } from './payer.js';
import { fromGate, type OwnRefusal, refusalResponse } from './refusals.js';
import { type Asked, pathBelow, providerOf, readRequest } from './request.js';
import { type Roads, waysOf } from './ways.js';

export interface Upstream {
  /**
   * What fetch does, for URLs of the providers: with a key of theirs, within their limits, and on the account of the admission
   * that the code runs under. What can't be answered is refused with a response in the provider's own shape.
   */
  readonly fetch: typeof globalThis.fetch;
  /** For calls that no admission stands behind, such as of jobs: a fetch on the account of whom you name. */
  as(behalf: Behalf): Pick<Upstream, 'fetch'>;
  /** Calls `listener` at each such event. Returns what ends that, safe to call twice. */
  on: UpstreamEmitter['on'];
  /** Sends nothing from now on, nor what waits. The gate that it was made for goes on. */
  close(): Promise<void>;
}

export function createUpstream(options: UpstreamOptions): Upstream {
  const { gate, providers } = options;
  const { clock, store } = gate;
  const emitter = createUpstreamEmitter();
  const health = createHealth(emitter);
  const roads: Roads = {
    providers: new Map(providers.map((provider) => [provider.name, provider])),
    standIns: new Map(Object.entries(options.failover ?? {})),
    keysOf: (name) => roads.providers.get(name)?.keys ?? [],
    health,
  };
  const site: Site = {
    clock,
    fetch: (...args) => (options.fetch ?? globalThis.fetch)(...args),
    timeoutMs: undefined,
    headroom: createHeadroom({ name: `${gate.name}:upstream`, store, clock }),
    health,
    emitter,
    waysOf: ({ provider }, model) => waysOf(roads, provider, model, clock.now()),
    noWay: ({ provider }) => ({
      status: 503,
      title: 'No key in service',
      detail: `No key of ${provider.name} is in service.`,
      reason: 'no-key',
      canRetry: false,
    }),
  };

  async function fetchFor(behalf: Behalf | undefined, input: string | URL | Request, init?: RequestInit) {
    const request = await readRequest(input, init);
    const provider = providerOf(request.url, providers);
    if (provider === undefined) return refusalResponse(unknownProvider(request.url, options));
    const path = pathBelow(request.url, provider) as string;
    const asked: Asked = { request, provider, path, call: provider.format.read(path, request.json) };
    if (asked.call === undefined) return answerTo(site, asked, undefined, undefined);
    const { model } = asked.call;
    const opened = await openPayer(gate, behalf, model, request);
    if (opened === undefined) return refusalResponse(noAdmission(), provider.format);
    if ('refusal' in opened) return refusalResponse(fromGate(opened.refusal), provider.format);
    const { payer } = opened;
    const isRung = options.degrade && payer.rung !== undefined && payer.request.model === model;
    return answerTo(site, asked, payer, isRung ? payer.rung : model);
  }

  const fetchOf = (behalf?: Behalf) => ({
    fetch: ((input, init) => fetchFor(behalf, input, init)) as typeof globalThis.fetch,
  });
  return {
    ...fetchOf(),
    as: fetchOf,
    on: emitter.on,
    close: () => site.headroom.close(),
  };
}

function unknownProvider({ origin, pathname }: URL, { providers }: UpstreamOptions): OwnRefusal {
  const known = providers.map(({ name, baseUrl }) => `${name} at ${baseUrl}`).join(', ');
  return {
    status: 400,
    title: 'Unknown provider',
    detail: `TOLLGATE_UNKNOWN_PROVIDER: ${origin}${pathname} belongs to none of the providers (${known}), and was not sent.`,
    reason: 'unknown-provider',
    canRetry: false,
  };
}

function noAdmission(): OwnRefusal {
  return {
    status: 403,
    title: 'No admission',
    detail:
      'TOLLGATE_NO_ADMISSION: nobody pays for this call, which was not sent. Make it below a handler that a gate has ' +
      'admitted, or say whose it is: llm.as({ subject }).fetch.',
    reason: 'no-admission',
    canRetry: false,
  };
}
