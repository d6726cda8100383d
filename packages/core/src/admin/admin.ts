/** The admin surface: who asks, what for, and what is answered; the same for every framework. */
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { type Problem, problemsError, type TollgateError } from '../errors.js';
import type { May } from '../request.js';
import { check, hasMethods } from '../schema.js';
import { type AdminAnswer, emptyAnswer, errorAnswer, failureAnswer, jsonAnswer, problemAnswer } from './answers.js';
import { type Read, readBody } from './body.js';
import { type AdminGate, gateOperations } from './gates.js';
import { type AdminKeyRing, keyOperations } from './keys.js';
import { openApi } from './openapi.js';
import { type Operation, operation, type Place, placeOf } from './operation.js';
import { nothing } from './schemas.js';
import { type AdminUpstream, upstreamOperations } from './upstreams.js';

/** `R` is a request as the framework has it. */
export interface AdminOptions<R> {
  /** Those that are shown and changed, each under its name. */
  gates: readonly AdminGate[];
  /** Without one there are no operations on keys. */
  keyRing?: AdminKeyRing | undefined;
  /** By the names that they are shown under. What they tell has to be plain data, without secrets. */
  upstreams?: Readonly<Record<string, AdminUpstream>> | undefined;
  /**
   * Whether an operator asks; called for every request before anything else of it is looked at. `true` lets it pass,
   * `false` is answered by 403, and anything else, as where nobody is known, by 401. What it throws is answered by 500, with
   * a warning.
   */
  authorize: (request: R) => May<boolean | undefined>;
}

/** A request, as an adapter tells it. */
export interface AdminRequest<R> {
  readonly request: R;
  /** Node's own. */
  readonly raw: IncomingMessage;
  /** Below where the surface is mounted, such as `/keys?x=1`. */
  readonly url: string;
  /** The body, where the app has parsed it. */
  readonly body: unknown;
}

export interface Admin<R> {
  /** What is to be answered. It never rejects. */
  answer(request: AdminRequest<R>): Promise<AdminAnswer>;
  /** The OpenAPI 3.1 document of what it can do, as it is served at `/openapi.json`. */
  readonly description: Readonly<Record<string, unknown>>;
}

const GATE = 'a gate, such as createTollgate({ … }) returns, with a name of its own';
const RING = 'a ring of keys, such as keyRing({ store })';
const AUTHORIZE =
  'a function (request) => boolean that says whether an operator asks: without one, whoever finds the surface could make keys and lift limits';

const options = z.strictObject(
  {
    gates: z.array(having<AdminGate>(GATE, ['inspect', 'update', 'topUp', 'resetBudget']), {
      error: 'a list of gates',
    }),
    keyRing: having<AdminKeyRing>(RING, ['create', 'list', 'rotate', 'revoke', 'update']).optional(),
    upstreams: z
      .record(z.string(), having<AdminUpstream>('an upstream, or whatever has inspect()', ['inspect']), {
        error: 'an object from names to upstreams',
      })
      .default({}),
    authorize: z.custom<AdminOptions<unknown>['authorize']>((value) => typeof value === 'function', {
      error: AUTHORIZE,
    }),
  },
  { error: 'an object such as { gates, authorize }' },
);

/** @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem; also where `authorize` is missing */
export function createAdmin<R>(input: AdminOptions<R>): Admin<R> {
  const { gates, keyRing, upstreams, authorize } = check(options, input, repeatedNames(input));
  const operations = [
    ...(keyRing ? keyOperations(keyRing) : []),
    ...gateOperations(gates, keyRing),
    ...upstreamOperations(upstreams),
    operation({
      id: 'describe',
      method: 'GET',
      path: '/openapi.json',
      summary: 'This description.',
      input: nothing,
      output: z.record(z.string(), z.unknown()),
      run: () => description,
    }),
  ];
  const description = openApi(operations);
  return {
    async answer(request) {
      try {
        const isAllowed = await authorize(request.request);
        if (isAllowed !== true) return problemAnswer(isAllowed === false ? 403 : 401);
      } catch (thrown) {
        return failureAnswer(thrown);
      }
      try {
        return await perform(operations, request);
      } catch (thrown) {
        return errorAnswer(thrown);
      }
    },
    description,
  };
}

/** What an operator asks for. */
async function perform(
  operations: readonly Operation[],
  { raw, url, body }: AdminRequest<unknown>,
): Promise<AdminAnswer> {
  const [path, query = ''] = url.split(/\?(.*)/s);
  const place = placeOf(operations, path);
  if (!place) return problemAnswer(404);
  const { method = '' } = raw;
  const one = place.operations.get(method === 'HEAD' ? 'GET' : method);
  if (!one) {
    const allow = allowOf(place);
    return method === 'OPTIONS' ? emptyAnswer({ allow }) : problemAnswer(405, undefined, { allow });
  }
  const read: Read = one.method === 'GET' ? { value: fieldsOf(query) } : await readBody(raw, body);
  if ('problem' in read) return read.problem;
  const result = await one.run(place.parameters, check(one.input, read.value, [], requestError));
  return result === undefined ? problemAnswer(404) : jsonAnswer(one.status ?? 200, one.output.parse(asJson(result)));
}

function allowOf({ operations }: Place): string {
  return [...operations.keys(), ...(operations.has('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ');
}

/** What is given twice is a list, which no field is. */
function fieldsOf(query: string): Record<string, unknown> {
  const parameters = new URLSearchParams(query);
  const fields = [...new Set(parameters.keys())].map((name): [string, unknown] => {
    const values = parameters.getAll(name);
    return [name, values.length === 1 ? values[0] : values];
  });
  return Object.fromEntries(fields);
}

/** As a client will read it. */
function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function requestError(problems: readonly Problem[]): TollgateError {
  const named = problems.map(({ path, ...rest }) => ({ path: path === 'config' ? 'body' : path, ...rest }));
  return problemsError('TOLLGATE_REQUEST_INVALID', 'The request', named);
}

function having<T>(expected: string, methods: readonly string[]) {
  return z.custom<T>((value) => hasMethods(value, methods), { error: expected });
}

/** Gates are told apart by name alone. */
function repeatedNames(input: Partial<AdminOptions<never>> | undefined): Problem[] {
  const gates = input?.gates;
  const names: unknown[] = Array.isArray(gates) ? gates.map((gate) => gate?.name) : [];
  return names.flatMap((name, i) => {
    const first = names.indexOf(name);
    if (first === i || name === undefined) return [];
    return [{ path: `gates[${i}].name`, value: name, expected: `a name of its own: gates[${first}] has this one` }];
  });
}
