export type { UpstreamEventName, UpstreamEvents, WayTaken } from './events.js';
export { anthropicFormat } from './formats/anthropic.js';
export { bedrockFormat } from './formats/bedrock.js';
export type { Asking, Call, CallRefusal, StreamReader, Usage, WireFormat } from './formats/format.js';
export { geminiFormat } from './formats/gemini.js';
export { openaiFormat } from './formats/openai.js';
export { unasked } from './formats/unasked.js';
export type { KeyState, ProviderState, UpstreamState } from './inspection.js';
export type { KeyOptions, SecretSource } from './keys/key.js';
export { type CacheOptions, cached, env, file } from './keys/secrets.js';
export type { UpstreamOptions } from './options.js';
export type { Behalf } from './payer.js';
export { anthropic } from './providers/anthropic.js';
export { azure } from './providers/azure.js';
export { type BedrockOptions, bedrock } from './providers/bedrock.js';
export { compatible } from './providers/compatible.js';
export { bearer, keyHeader } from './providers/credentials.js';
export { defineProvider, type ProviderTraits } from './providers/define.js';
export { type ErrorAnswer, usualFailure } from './providers/failures.js';
export { gemini } from './providers/gemini.js';
export { groq } from './providers/groq.js';
export type { LimitHeaders } from './providers/limit-headers.js';
export { mistral } from './providers/mistral.js';
export { openai } from './providers/openai.js';
export { openrouter } from './providers/openrouter.js';
export type {
  Answer,
  Failure,
  HeadroomUnit,
  HeadroomWindow,
  Limits,
  Provider,
  Reading,
} from './providers/provider.js';
export type { LimitOptions, ProviderOptions } from './providers/provider-options.js';
export { together } from './providers/together.js';
export { createUpstream, type Upstream } from './upstream.js';
export type { StandIn } from './ways.js';
