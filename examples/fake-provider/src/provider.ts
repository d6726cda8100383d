/**
 * A fake LLM provider: it speaks a provider's wire format, has limits of its own, and bills every token that it generates,
 * also those of an answer that broke off or that nobody waited for.
 */
import { type Answer, anyAnswer, outputTokens, randomBy } from './answers.js';
import type { Behaviour, CallRecord, Fault } from './behaviour.js';
import { MODELS, priceOf, type Usage } from './bill.js';
import { type Clock, pause, realTime } from './clock.js';
import { anthropic } from './formats/anthropic.js';
import type { Body, Call, Format } from './formats/format.js';
import { gemini } from './formats/gemini.js';
import { openai } from './formats/openai.js';
import { createLimiters, type Limiters, type Limits } from './limiters.js';

/** What paths begin with, such as `/v1`, `/v1beta` or `/api/v1`. */
const VERSION = /^(\/api)?\/v\d\w*/;

const FORMATS = { openai, anthropic, gemini };

export interface ProviderOptions extends Partial<Omit<Behaviour, 'keys'>> {
  readonly kind: keyof typeof FORMATS;
  readonly keys: Iterable<string>;
  /** What each key may use of each model; all it wants unless given. */
  readonly limits?: Limits | undefined;
  /** Refusals say when to come back; they do unless this is `false`. */
  readonly tellsRetryAfter?: boolean | undefined;
  readonly clock?: Clock | undefined;
  readonly seed?: number | undefined;
}

export interface FakeProvider extends Behaviour {
  /** In the order in which they came. To be emptied at will. */
  readonly calls: CallRecord[];
  /** Calls that are under way, and the most that ever were at once. */
  readonly underWay: number;
  readonly mostUnderWay: number;
  /** Nano-dollars of all calls, or of those that it is true for. */
  total(of?: (call: CallRecord) => boolean): bigint;
  /**
   * Answers a request, whatever its host.
   *
   * @param gone aborts when the client does not wait any longer
   * @throws TypeError where the connection breaks
   */
  handle(request: Request, gone: AbortSignal): Promise<Response>;
}

const NOTHING: Usage = { input: 0, cacheRead: 0, cacheWritten: 0, output: 0, reasoning: 0 };

export function createProvider(options: ProviderOptions): FakeProvider {
  const { kind, limits = {}, tellsRetryAfter = true, clock = realTime, seed = 1 } = options;
  const format: Format = FORMATS[kind];
  const random = randomBy(seed);
  const calls: CallRecord[] = [];
  const limitersOf = new Map<string, Limiters>();
  let count = 0;
  let underWay = 0;
  let mostUnderWay = 0;

  const provider: FakeProvider = {
    keys: new Set(options.keys),
    fault: options.fault ?? (() => undefined),
    answer: options.answer ?? anyAnswer,
    latencyMs: options.latencyMs ?? 0,
    tokenMs: options.tokenMs ?? 0,
    calls,
    get underWay() {
      return underWay;
    },
    get mostUnderWay() {
      return mostUnderWay;
    },
    total: (of = () => true) => calls.filter(of).reduce((sum, { bill }) => sum + bill, 0n),
    async handle(request, gone) {
      const path = new URL(request.url).pathname.replace(VERSION, '');
      const body: Body = await request.json().catch(() => ({}));
      const call = format.read(path, body);
      if (!call) return new Response(null, { status: 404 });
      const key = format.keyOf(request.headers);
      const record: CallRecord = {
        ...call,
        ...{
          id: String(++count),
          key,
          body,
          at: clock.now(),
          status: undefined,
          end: 'open',
          usage: NOTHING,
          bill: 0n,
        },
      };
      calls.push(record);
      mostUnderWay = Math.max(mostUnderWay, ++underWay);
      return serve(record, gone);
    },
  };

  function limiters({ key, model }: CallRecord): Limiters {
    const name = `${key} ${model}`;
    const found = limitersOf.get(name) ?? createLimiters(limits, clock.now());
    limitersOf.set(name, found);
    return found;
  }

  async function serve(call: CallRecord, gone: AbortSignal): Promise<Response> {
    if (!provider.keys.has(call.key)) return refuse(call, format.unknownKey);
    if (!MODELS.includes(call.model)) return refuse(call, { status: 404, message: `There is no ${call.model} here.` });
    const fault = provider.fault(call);
    if (fault && !fault.afterTokens) return refuse(call, fault);
    const { promptTokens: inputTokens, maxTokens = 0 } = call;
    const cost = { requests: 1, tokens: inputTokens + maxTokens, inputTokens, outputTokens: 0 };
    const lacks = limiters(call).draw(cost, clock.now());
    if (lacks) return refuse(call, { status: 429, ...(tellsRetryAfter && { retryAfterMs: lacks.waitMs }) });
    const answer = provider.answer(call, random);
    const headers = format.headers(limiters(call).standings(clock.now()), clock.now());
    call.status = 200;
    return call.stream ? stream(call, answer, fault, headers, gone) : whole(call, answer, headers);
  }

  function refuse(call: CallRecord, { status, retryAfterMs, ...trouble }: Fault): Response {
    call.status = status;
    finish(call, 'refused', NOTHING);
    if (status === undefined) throw new TypeError('fetch failed');
    const headers = new Headers(format.headers(limiters(call).standings(clock.now()), clock.now()));
    if (retryAfterMs !== undefined && kind !== 'gemini') {
      headers.set('Retry-After', String(Math.ceil(retryAfterMs / 1000)));
    }
    return Response.json(format.error({ status, retryAfterMs, ...trouble }, call.stream), { status, headers });
  }

  /** Generated to its end, whoever waits for it. */
  async function whole(call: CallRecord, answer: Answer, headers: Record<string, string>): Promise<Response> {
    const usage = usageOf(call, answer, outputTokens(answer));
    await pause(clock, provider.latencyMs + provider.tokenMs * usage.output, new AbortController().signal);
    finish(call, 'whole', usage);
    return Response.json(format.whole(call.id, call, answer, usage), { headers });
  }

  /** Generated as it is read, and no longer. */
  async function stream(
    call: CallRecord,
    answer: Answer,
    fault: Fault | undefined,
    headers: Record<string, string>,
    gone: AbortSignal,
  ): Promise<Response> {
    const left = new AbortController();
    const signal = AbortSignal.any([gone, left.signal]);
    let output = 0;

    async function* generate(): AsyncGenerator<string> {
      let end: CallRecord['end'] = 'left';
      try {
        for (const step of format.stream(call.id, call, answer, usageOf(call, answer, outputTokens(answer)))) {
          await pause(clock, provider.tokenMs * step.tokens, signal);
          output += step.tokens;
          if (fault?.afterTokens !== undefined && output >= fault.afterTokens) {
            end = 'broken';
            if (fault.status === undefined) throw new TypeError('terminated');
            yield format.errorEvent({ ...fault, status: fault.status });
            return;
          }
          if (step.event !== undefined) yield step.event;
        }
        end = 'whole';
      } finally {
        finish(call, end, usageOf(call, answer, output));
      }
    }

    const events = generate();
    const leave = () => void events.return(undefined).then(() => finish(call, 'left', usageOf(call, answer, output)));
    signal.addEventListener('abort', leave);
    await pause(clock, provider.latencyMs, signal);
    const encoder = new TextEncoder();
    const body = new ReadableStream<Uint8Array>(
      {
        start(controller) {
          signal.addEventListener('abort', () => controller.error(signal.reason));
        },
        async pull(controller) {
          const { done, value } = await events.next();
          if (done) controller.close();
          else controller.enqueue(encoder.encode(value));
        },
        cancel() {
          left.abort();
        },
      },
      { highWaterMark: 0 },
    );
    return new Response(body, { headers: { 'Content-Type': 'text/event-stream; charset=utf-8', ...headers } });
  }

  function finish(call: CallRecord, end: CallRecord['end'], usage: Usage): void {
    if (call.end !== 'open') return;
    underWay--;
    call.end = end;
    call.usage = usage;
    call.bill = priceOf(call.model, usage);
    if (end === 'refused') return;
    const beyond = usage.input + usage.output - (call.promptTokens + (call.maxTokens ?? 0));
    limiters(call).correct({ tokens: beyond, outputTokens: usage.output }, call.at, clock.now());
  }

  return provider;
}

function usageOf({ promptTokens }: Call, answer: Answer, output: number): Usage {
  const { cacheRead = 0, cacheWritten = 0, reasoning = 0 } = answer;
  return { input: promptTokens, cacheRead, cacheWritten, output, reasoning: Math.min(reasoning, output) };
}
