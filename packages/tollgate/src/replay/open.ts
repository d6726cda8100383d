/** The requests of a log while they last: what became of each, there and here. */
import type { Admission } from '@tollgate/core';
import type { TrafficLine } from '@tollgate/core/traffic';

/** How a request was answered, in words that can be compared: the model that served it, or what refused it. */
export interface Answer {
  readonly admitted: boolean;
  readonly by: string | undefined;
}

export type Settled = Extract<TrafficLine, { event: 'settled' }>;

export interface Open {
  readonly feature: string | undefined;
  readonly leaving: AbortController;
  /** When it began, by the log; `undefined` as long as it hasn't. */
  recordedAt: number | undefined;
  /** The model that the log says it was admitted with, or changed to. */
  recordedModel: string | undefined;
  recorded: Answer | undefined;
  answer: Answer | undefined;
  admission: Admission | undefined;
  /** It ended in the log before it has begun here: how, and after how many milliseconds. */
  ending: { readonly settled: Settled; readonly afterMs: number } | undefined;
}

export function openRequest(feature: string | undefined): Open {
  return {
    feature,
    leaving: new AbortController(),
    recordedAt: undefined,
    recordedModel: undefined,
    recorded: undefined,
    answer: undefined,
    admission: undefined,
    ending: undefined,
  };
}

/** Requests that the log has told the provisional end of, and may tell of again. The oldest are forgotten. */
const MAX_CONCLUDED = 50_000;

export interface OpenRequests {
  readonly size: number;
  get(id: string): Open | undefined;
  add(id: string, open: Open): void;
  /** It has ended; provisionally, where it may end once more. */
  ended(id: string, provisional: boolean): void;
  /** All that are left. */
  all(): Iterable<Open>;
}

export function openRequests(): OpenRequests {
  const open = new Map<string, Open>();
  const concluded = new Map<string, Open>();
  return {
    get size() {
      return open.size;
    },
    get: (id) => open.get(id) ?? concluded.get(id),
    add: (id, request) => void open.set(id, request),
    ended(id, provisional) {
      const request = open.get(id);
      open.delete(id);
      concluded.delete(id);
      if (!provisional || request === undefined) return;
      concluded.set(id, request);
      if (concluded.size > MAX_CONCLUDED) concluded.delete(concluded.keys().next().value as string);
    },
    all: () => open.values(),
  };
}
