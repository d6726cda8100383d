/** What providers have left for us: a gate of its own, whose alternatives are the ways that a call can go. */
import {
  type AdmitRequest,
  type Clock,
  createTollgate,
  type Outcome,
  type Refusal,
  type Store,
  type TollgateConfig,
} from '@tollgate/core';
import type { Reading } from './providers/provider.js';
import type { Asked } from './request.js';
import type { CallWay } from './way.js';

/** Leave to send a call by one of its ways. */
export interface Turn {
  readonly way: CallWay;
  /** Milliseconds that it waited for. */
  readonly waitedMs: number;
  /** What an answer has said of the limits. */
  observe(readings: readonly Reading[]): void;
  /** Nothing more is to be sent with the key for so many milliseconds: of its family, or of any. */
  rest(ms: number, ofKey: boolean): void;
  settle(outcome: Outcome): Promise<void>;
}

export interface Headroom {
  /**
   * Waits until one of the ways has room, the first of them that has. Rejects with the signal's reason where that aborts.
   *
   * @param behalf for whom it is, and how urgent
   */
  turn(
    ways: readonly CallWay[],
    asked: Asked,
    behalf: Readonly<AdmitRequest> | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Turn | { readonly refusal: Refusal }>;
  close(): Promise<void>;
}

export interface HeadroomOptions {
  readonly name: string;
  readonly store: Store;
  readonly clock: Clock;
}

export function createHeadroom({ name, store, clock }: HeadroomOptions): Headroom {
  const config: TollgateConfig = { name, store, clock, queue: { fairBy: 'tenant' } };
  const gate = createTollgate(config);
  return {
    async turn(ways, { request }, behalf, signal) {
      const { subject, feature, priority } = behalf ?? {};
      const tenant = subject?.tenant ?? subject?.user ?? subject?.key ?? subject?.ip ?? '-';
      const asked = { subject: { tenant }, feature, priority, permits: 0 };
      const decision = await gate.admit(asked, { signal, body: request.json });
      if (!decision.admitted) return decision;
      const { admission } = decision;
      return {
        way: ways[0],
        waitedMs: admission.waitedMs,
        observe() {},
        rest() {},
        settle: (outcome) => admission.settle(outcome),
      };
    },
    close: () => gate.close(),
  };
}
