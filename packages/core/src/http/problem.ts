/** Refusals: the value that `admit` returns, its words, and its body as RFC 9457 has it. */
import { type LayerState, statesOf } from '../meters/layer-state.js';
import type { Unit, Usage } from '../meters/meter.js';
import { ASK_AGAIN_MS } from '../meters/outside.js';
import { formatMoney } from '../money/nano-dollars.js';
import { minuteText } from '../units.js';
import { reasons, waitOf } from './reasons.js';
import { duration, number, plural, secondsUp } from './wording.js';

/**
 * Why a request was refused. `unauthenticated`, `forbidden` and `locked-out` are those of API keys. `shed`, `line-full`,
 * `too-long-wait` (it could not begin in the time that it may wait) and `waited-too-long` are those of gates with a line.
 * `closed` is what clients are told where a gate has been closed; its `admit` throws.
 */
export type RefusalReason =
  | 'limit'
  | 'budget'
  | 'too-costly'
  | 'store-down'
  | 'closed'
  | 'unauthenticated'
  | 'forbidden'
  | 'locked-out'
  | 'shed'
  | 'line-full'
  | 'too-long-wait'
  | 'waited-too-long';

/** The outcome of a request that was not admitted. Nothing was charged. */
export interface Refusal {
  /** The id that the refused request would have been admitted under; the same in events and in `instance`. */
  readonly id: string;
  readonly reason: RefusalReason;
  /**
   * The limit or budget that refused, or that the request would have had to wait for; of several the one that takes longest.
   * `undefined` if none did.
   */
  readonly layer: string | undefined;
  /** The HTTP status. */
  readonly status: number;
  readonly title: string;
  /** A sentence that a person can act on. */
  readonly detail: string;
  /**
   * Exact: a request that comes then, alone, is admitted. Of a line an estimate, by the pace of late. `undefined` if it never
   * can be, or not by waiting.
   */
  readonly retryAfterMs: number | undefined;
  /** When the budget that refused has its next period, in milliseconds since 1970; `undefined` for other reasons. */
  readonly resetsAt: number | undefined;
  /** Which the request would have been in the line, from 1, or was when it left it; `undefined` where that isn't known. */
  readonly position?: number | undefined;
  /** Milliseconds that it would have waited, about, or still would have; `undefined` where that isn't known. */
  readonly expectedWaitMs?: number | undefined;
  /** The layers that refused, with all their figures: for logs and the app, not for clients. */
  readonly violated: readonly LayerState[];
  /** All layers that were asked. */
  readonly layers: readonly LayerState[];
}

/** The body of a refusal, as `application/problem+json`. */
export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly layer?: string;
  readonly 'violated-policies'?: readonly string[];
  /** Whole seconds, as in the header `Retry-After`. */
  readonly retryAfter?: number;
  /** When the budget has its next period, such as `2026-12-01T00:00:00.000Z`. */
  readonly resetsAt?: string;
  readonly position?: number;
  /** Whole seconds. */
  readonly expectedWait?: number;
}

const PROBLEM_TYPES = 'https://iana.org/assignments/http-problem-types';

const REDUCED_CAPACITY = `${PROBLEM_TYPES}#temporary-reduced-capacity`;

export const KINDS: Record<RefusalReason, { status: number; type: string; title: string }> = {
  limit: { status: 429, type: `${PROBLEM_TYPES}#quota-exceeded`, title: 'Limit reached' },
  budget: { status: 402, type: `${PROBLEM_TYPES}#quota-exceeded`, title: 'Budget exhausted' },
  'too-costly': { status: 422, type: 'about:blank', title: 'Unprocessable Content' },
  'store-down': { status: 503, type: REDUCED_CAPACITY, title: 'Temporarily unavailable' },
  closed: { status: 503, type: REDUCED_CAPACITY, title: 'Shutting down' },
  unauthenticated: { status: 401, type: 'about:blank', title: 'Unauthorized' },
  forbidden: { status: 403, type: 'about:blank', title: 'Forbidden' },
  'locked-out': { status: 429, type: `${PROBLEM_TYPES}#abnormal-usage-detected`, title: 'Too many bad keys' },
  shed: { status: 503, type: REDUCED_CAPACITY, title: 'Too busy' },
  'line-full': { status: 503, type: REDUCED_CAPACITY, title: 'Line full' },
  'too-long-wait': { status: 503, type: REDUCED_CAPACITY, title: 'Wait too long' },
  'waited-too-long': { status: 503, type: REDUCED_CAPACITY, title: 'Waited too long' },
};

/** Seconds. Above it SDKs that would sleep and retry by themselves are told not to. */
const LONGEST_SDK_RETRY = 60;

const WORDS: Record<Exclude<Unit, 'usd'>, string> = {
  requests: 'request',
  permits: 'permit',
  tokens: 'token',
  inputTokens: 'input token',
  outputTokens: 'output token',
  slots: 'slot',
};

/**
 * The refusal of a request of which no alternative fits. What can never be comes before a budget, and that before a limit.
 *
 * @param alternatives what the meters of each alternative said; the one that will fit first is told of, of several the
 *   last, which may use the most of its budgets
 * @param budgetStatus the status where a budget refuses
 */
export function refusalOf(
  id: string,
  alternatives: readonly (readonly Usage[])[],
  budgetStatus: number = KINDS.budget.status,
): Refusal {
  const usages = alternatives.reduce((best, other) => (waitOf(other) <= waitOf(best) ? other : best));
  const layers = statesOf(usages);
  const violated = statesOf(reasons(usages));
  const worst = longestOf(violated);
  const tooCostly = violated.find(isTooCostly);
  const budgets = violated.filter(({ unit }) => unit === 'usd');
  const reason = tooCostly !== undefined ? 'too-costly' : budgets.length > 0 ? 'budget' : 'limit';
  if (reason === 'limit' && usages.some(({ failed }) => failed)) return storeDownRefusal(id);
  const told = tooCostly ?? (reason === 'budget' ? longestOf(budgets) : worst);
  return {
    id,
    reason,
    layer: told.layer,
    status: reason === 'budget' ? budgetStatus : KINDS[reason].status,
    title: KINDS[reason].title,
    detail: told.unit === 'usd' ? budgetDetail(told) : limitDetail(told, WORDS[told.unit]),
    retryAfterMs: worst.retryAfterMs,
    resetsAt: reason === 'budget' ? told.resetsAt : undefined,
    violated,
    layers,
  };
}

function longestOf(layers: readonly LayerState[]): LayerState {
  return layers.reduce((a, b) => (waitOfLayer(b) > waitOfLayer(a) ? b : a));
}

/** Costs more than the layer can ever hold. What is used up for good might have held it. */
function isTooCostly({ cost, limit, share = limit, retryAfterMs }: LayerState): boolean {
  return retryAfterMs === undefined && cost > share;
}

function waitOfLayer({ retryAfterMs = Number.POSITIVE_INFINITY }: LayerState): number {
  return retryAfterMs;
}

/** The refusal of a request that can't be judged, as the store does not answer and a limit says `closed`. */
export function storeDownRefusal(id: string): Refusal {
  return unavailable(id, 'store-down', "Limits can't be checked at the moment.");
}

/** The refusal of a request that comes to a gate which has been closed, or that waits as it is. */
export function closedRefusal(id: string): Refusal {
  return unavailable(id, 'closed', 'This service is being shut down or restarted.');
}

function unavailable(id: string, reason: 'store-down' | 'closed', why: string): Refusal {
  return {
    id,
    reason,
    layer: undefined,
    status: KINDS[reason].status,
    title: KINDS[reason].title,
    detail: `${why} Try again in ${duration(ASK_AGAIN_MS)}.`,
    retryAfterMs: ASK_AGAIN_MS,
    resetsAt: undefined,
    violated: [],
    layers: [],
  };
}

/**
 * The headers that every refusal has, whatever its body: when to come back, whether SDKs should retry by themselves, and
 * how to say who one is. A budget has no `Retry-After`, on which clients would come back at once, all together.
 */
export function refusalHeaders({ reason, retryAfterMs }: Refusal): [name: string, value: string][] {
  if (reason === 'unauthenticated') return [['WWW-Authenticate', 'Bearer']];
  if (reason === 'budget') return [['x-should-retry', 'false']];
  const seconds = retryAfterMs === undefined ? undefined : secondsUp(retryAfterMs);
  const headers: [string, string][] = seconds === undefined ? [] : [['Retry-After', String(seconds)]];
  if (seconds === undefined || seconds > LONGEST_SDK_RETRY) headers.push(['x-should-retry', 'false']);
  return headers;
}

export function problemBody(refusal: Refusal): ProblemBody {
  const { id, reason, title, status, detail, layer, retryAfterMs, resetsAt, violated, position, expectedWaitMs } =
    refusal;
  return {
    type: KINDS[reason].type,
    title,
    status,
    detail,
    instance: `urn:tollgate:${id}`,
    ...(layer !== undefined && { layer, 'violated-policies': violated.map((one) => one.layer) }),
    ...(retryAfterMs !== undefined && reason !== 'budget' && { retryAfter: secondsUp(retryAfterMs) }),
    ...(resetsAt !== undefined && { resetsAt: new Date(resetsAt).toISOString() }),
    ...(position !== undefined && { position }),
    ...(expectedWaitMs !== undefined && { expectedWait: secondsUp(expectedWaitMs) }),
  };
}

function budgetDetail({ layer, own, cost, used, limit, share, retryAfterMs, resetsAt = 0 }: LayerState): string {
  if (retryAfterMs === undefined) {
    return own
      ? `This request may cost ${formatMoney(cost)}; the budget '${layer}' never allows more than ${formatMoney(limit)}.`
      : `This request may cost more than the budget '${layer}' can ever allow.`;
  }
  const renewed = `It is renewed at ${minuteText(resetsAt)}, in ${duration(retryAfterMs)}.`;
  if (!own) {
    const whom = share === undefined ? '' : ' for this model';
    return `The budget '${layer}', which you share with others, is exhausted${whom}. ${renewed}`;
  }
  const figures = `${formatMoney(used)} of the ${formatMoney(limit)}`;
  const part = share === undefined ? '' : `, of which this model may use ${formatMoney(share)}`;
  return `You have spent ${figures} that the budget '${layer}' allows${part}; this request may cost ${formatMoney(cost)}. ${renewed}`;
}

function limitDetail(state: LayerState, unit: string): string {
  const { layer, unit: counted, own, cost, used, limit, retryAfterMs } = state;
  if (isTooCostly(state)) {
    return own
      ? `This request costs ${plural(cost, unit)}; '${layer}' never allows more than ${number(limit)}.`
      : `This request costs more than the limit '${layer}' can ever allow.`;
  }
  const again =
    retryAfterMs === undefined ? 'It is not renewed automatically.' : `Try again in ${duration(retryAfterMs)}.`;
  if (!own) return `The limit '${layer}', which you share with others, is reached. ${again}`;
  if (counted === 'slots' && retryAfterMs !== undefined) {
    return `You have ${number(used)} running of the ${number(limit)} that '${layer}' allows at once. Try again when one has ended, in ${duration(retryAfterMs)} at the latest.`;
  }
  // What has partly come back is not there yet: 30.2 used leave no more than 31 used do.
  const figures = `${number(Math.ceil(used))} of the ${plural(limit, unit)}`;
  return `You have used ${figures} that '${layer}' allows; this request costs ${number(cost)}. ${again}`;
}
