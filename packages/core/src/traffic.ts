/**
 * Records what a gate is asked and what comes of it, in lines of JSON: `@tollgate/core/traffic`. `tollgate replay` runs them
 * through another configuration, on a clock of their own.
 */
import type { TollgateEvents } from './events.js';
import type { Tollgate } from './gate.js';
import { type BodyEstimate, estimatedBody } from './money/body.js';

/** What is kept of each event: all that decided what became of a request, and nothing of what bodies say. */
export type TrafficEvent =
  | ({ readonly event: 'asked' } & Pick<TollgateEvents['asked'], 'id' | 'kind' | 'request' | 'body' | 'more'>)
  | ({ readonly event: 'admitted' } & Pick<TollgateEvents['admitted'], 'id' | 'model' | 'waitedMs' | 'cost'>)
  | ({ readonly event: 'refused'; readonly id: string } & Pick<
      TollgateEvents['refused']['refusal'],
      'reason' | 'layer'
    >)
  | { readonly event: 'withdrawn'; readonly id: string }
  | ({ readonly event: 'settled' } & Pick<
      TollgateEvents['settled'],
      'id' | 'outcome' | 'model' | 'usage' | 'usd' | 'overloaded' | 'provisional' | 'actual'
    >)
  | ({ readonly event: 'updated' } & Pick<TollgateEvents['updated'], 'change'>)
  | ({ readonly event: 'credited'; readonly budget: string } & Pick<
      TollgateEvents['budget.credited'],
      'by' | 'whom' | 'amount'
    >);

/** An event, and when it was, in milliseconds since 1970. */
export type TrafficLine = TrafficEvent & { readonly at: number };

/**
 * Calls `write` with a line, without its end, for each step of the gate from now on: `recordTraffic(gate, (line) =>
 * file.write(line + '\n'))`. Lines say who asked (`subject`), so keep them as you keep access logs.
 *
 * @returns what ends it
 */
export function recordTraffic(gate: Tollgate, write: (line: string) => void): () => void {
  const { clock } = gate;
  const line = (event: TrafficEvent) => write(JSON.stringify({ at: clock.now(), ...event }, bigintsAsText));
  const ends = [
    gate.on('asked', ({ id, kind, request, body, more }) => line({ event: 'asked', id, kind, request, body, more })),
    gate.on('admitted', ({ id, model, waitedMs, cost }) => line({ event: 'admitted', id, model, waitedMs, cost })),
    gate.on('refused', ({ id, refusal: { reason, layer } }) => line({ event: 'refused', id, reason, layer })),
    gate.on('withdrawn', ({ id }) => line({ event: 'withdrawn', id })),
    gate.on('settled', ({ id, outcome, model, usage, usd, overloaded, provisional, actual }) =>
      line({ event: 'settled', id, outcome, model, usage, usd, overloaded, provisional, actual }),
    ),
    gate.on('updated', ({ change }) => line({ event: 'updated', change })),
    gate.on('budget.credited', ({ by, whom, amount, budget }) =>
      line({ event: 'credited', by, budget: budget.layer, whom, amount }),
    ),
  ];
  return () => {
    for (const end of ends) end();
  };
}

/** As they are counted. */
function bigintsAsText(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

/** Stands for the body of a recorded request: a gate finds in it the tokens that it found in the body itself. */
export function recordedBody(estimate: BodyEstimate): object {
  const { inputTokens, maxOutputTokens, choices = 1 } = estimate;
  return estimatedBody({ inputTokens, maxOutputTokens, choices });
}
