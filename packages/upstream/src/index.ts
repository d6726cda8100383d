export type { UpstreamEventName, UpstreamEvents, WayTaken } from './events.js';
export { anthropicFormat } from './formats/anthropic.js';
export type { Call, CallRefusal, StreamReader, Usage, WireFormat } from './formats/format.js';
export { geminiFormat } from './formats/gemini.js';
export { openaiFormat, openaiFormatUnasked } from './formats/openai.js';
export type { KeyOptions, SecretSource } from './keys/key.js';
export type { UpstreamOptions } from './options.js';
export type { Behalf } from './payer.js';
export type {
  Answer,
  Failure,
  HeadroomUnit,
  HeadroomWindow,
  Limits,
  Provider,
  Reading,
} from './providers/provider.js';
export { createUpstream, type Upstream } from './upstream.js';
export type { StandIn } from './ways.js';
