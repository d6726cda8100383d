/** What an adapter for a framework is made of: `@tollgate/core/http`. */

export { isPromise, then } from '../request.js';
export type { Adapter, ResponseEnd } from './adapter.js';
export {
  admissionOf,
  type Conduct,
  type ConductOptions,
  createConduct,
  type Passage,
  passToll,
} from './conduct.js';
export { problemBody } from './problem.js';
export type { HeaderStyle } from './rate-limit-headers.js';
export { type Fact, type FeatureName, FREE, makeToll, type TierName, type Toll, type TollOptions } from './toll.js';
