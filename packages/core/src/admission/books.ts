import type { Decision, DrawOptions, HandOverOptions, Observation } from '../admission.js';
import type { Contest } from '../ledger/unsettled.js';
import type { LayerState } from '../meters/layer-state.js';
import type { AdmitRequest, Cost, DrawEstimate, Estimate, May, TokenCounts } from '../request.js';
import type { Alternative, Receipt } from '../store/store.js';
import type { Priced } from '../terms/costs.js';
import type { Deferral } from './deferrals.js';
import type { Drawn } from './draws.js';
import type { GateAdmission } from './gate-admission.js';
import type { Outcome } from './outcome.js';

/** What an admission needs of its gate. */
export interface Books {
  readonly idPrefix: string;
  extend(admission: GateAdmission, estimate: Estimate): Promise<Decision>;
  draw(admission: GateAdmission, estimate: DrawEstimate, options: DrawOptions | undefined): Promise<Drawn>;
  /** A call has gone well. */
  learn(request: AdmitRequest, call: Priced, model: string | undefined, usage: TokenCounts): void;
  layers(way: Alternative, receipt: Receipt): May<readonly LayerState[]>;
  /** Calls `task` when the first lease in the receipt has ended, none of which was charged before `since`. Returns what cancels that. */
  atLeaseEnd(since: number, receipt: () => Receipt, task: () => void): () => void;
  observe(admission: GateAdmission, readings: readonly Observation[]): May<void>;
  handOver(admission: GateAdmission, options: HandOverOptions | undefined): Promise<string>;
  settle(receipt: Receipt, actual: readonly number[], contest?: Contest): May<void>;
  /** Puts off an end that waits for draws. */
  defer(end: () => void): Deferral;
  settled(admission: GateAdmission, outcome: Outcome, actual: Cost | undefined, provisional: boolean): void;
}
