export { type Answer, anyAnswer, promptTokens, randomBy, textAnswer, toolAnswer } from './answers.js';
export type { CallRecord, Fault, KeyedCall } from './behaviour.js';
export { MODELS, priceOf, type Usage } from './bill.js';
export type { Clock } from './clock.js';
export type { Limits } from './limiters.js';
export { createProvider, type FakeProvider, type ProviderOptions } from './provider.js';
export { fetchOf, type Serving, serve } from './serve.js';
export { startStandIns } from './stand-ins.js';
