/** What an adapter for a framework is made of: `@tollgate/core/http`. */

export { asError, configError, warn } from '../errors.js';
export { andThen } from '../request.js';
export type { Adapter, ResponseEnd } from './adapter.js';
export { type Annotation, annotationReader } from './annotations.js';
export { answer } from './answer.js';
export { createConduct } from './conduct.js';
export type { ConductOptions } from './conduct-options.js';
export { ADMISSION, admissionOfThis, apiKeyOf, type Conduct, conductOf, type Passage } from './exchange.js';
export { isOver, isSent, onOver } from './node-response.js';
export { problemBody } from './problem.js';
export type { HeaderStyle } from './rate-limit-headers.js';
export {
  type Fact,
  type FeatureName,
  FREE,
  type ModelName,
  makeToll,
  type TierName,
  type Toll,
  type TollOptions,
} from './toll.js';
