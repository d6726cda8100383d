/** How a provider is defined: what it is like, as data and a few functions; it is made of that and of a user's keys. */
import type { WireFormat } from '../formats/format.js';
import { unasked } from '../formats/unasked.js';
import { type ErrorAnswer, readError, usualFailure } from './failures.js';
import { type LimitHeaders, readLimits } from './limit-headers.js';
import type { Failure, Provider } from './provider.js';
import { type ProviderOptions, readProvider } from './provider-options.js';

/** What a provider is like. */
export interface ProviderTraits extends Pick<Provider, 'name' | 'authorize' | 'usage' | 'tellsCost'> {
  readonly format: WireFormat;
  /** Has to be configured where there is none. */
  readonly baseUrl?: string;
  /** The headers that tell of limits. */
  readonly limitHeaders?: readonly LimitHeaders[];
  /** Where they say it otherwise than by numbers of their own. */
  readonly readings?: Provider['readings'];
  /** By what to count a model, as some share limits; each by itself unless given. */
  readonly family?: Provider['family'];
  /** Why an answer is none, where this one means it otherwise than most: see {@link usualFailure}. */
  readonly failure?: (error: ErrorAnswer, now: number) => Failure | undefined;
}

/**
 * Makes of a provider's traits a function that makes the provider with your keys. That one checks its options, and throws
 * TollgateError `TOLLGATE_CONFIG_INVALID` with every problem.
 */
export function defineProvider(traits: ProviderTraits): (options: ProviderOptions) => Provider {
  const { name, baseUrl, format, authorize, usage, tellsCost, limitHeaders = [], failure = usualFailure } = traits;
  const { family = (model) => model, readings = ({ headers }) => readLimits(limitHeaders, headers) } = traits;
  return (options) => ({
    ...readProvider(options, { name, baseUrl, family }),
    format: options.askUsage === false ? unasked(format) : format,
    authorize,
    usage,
    tellsCost,
    readings,
    failure(answer, now) {
      const error = readError(answer, limitHeaders, now);
      return error && failure(error, now);
    },
  });
}
