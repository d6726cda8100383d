export { type Answer, anyAnswer, promptTokens, randomBy, textAnswer, toolAnswer } from './answers.js';
export { MODELS, priceOf, type Usage } from './bill.js';
export type { Clock } from './clock.js';
export type { Limits } from './limiters.js';
export {
  type CallRecord,
  createProvider,
  type FakeProvider,
  type Fault,
  type KeyedCall,
  type ProviderOptions,
} from './provider.js';
export { fetchOf, type Serving, serve } from './serve.js';
export { startStandIns } from './stand-ins.js';
