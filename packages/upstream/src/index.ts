export type { Call, CallRefusal, StreamReader, Usage, WireFormat } from './formats/format.js';
export type { KeyOptions, SecretSource } from './keys/key.js';
export type {
  Answer,
  Failure,
  HeadroomUnit,
  HeadroomWindow,
  Limits,
  Provider,
  Reading,
} from './providers/provider.js';
