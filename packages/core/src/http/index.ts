/** What an adapter for a framework is made of: `@tollgate/core/http`. */

export { isPromise, then } from '../request.js';
export type { Adapter, Header, ResponseEnd } from './adapter.js';
export {
  admissionOf,
  type Conduct,
  type ConductOptions,
  conductOf,
  createConduct,
  type Passage,
} from './conduct.js';
export { problemBody } from './problem.js';
export type { HeaderStyle } from './rate-limit-headers.js';
export { type Fact, type FeatureName, FREE, makeToll, type TierName, type Toll, type TollOptions } from './toll.js';
