/** An operation as plain data: its routing, its checks and its description are all made of it. */
import type { z } from 'zod';
import type { May } from '../request.js';

export type Method = 'GET' | 'POST' | 'PATCH';

/** The parameters of a path: `'id'` of `'/keys/{id}'`. */
type ParameterOf<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParameterOf<Rest>
  : never;

interface OperationOf<Path extends string, Input extends z.ZodObject, Output> {
  /** Names it in the description, such as `'rotateKey'`. */
  readonly id: string;
  readonly method: Method;
  readonly path: Path;
  /** A sentence. */
  readonly summary: string;
  /** What it is told: by the query where it is a GET, else by the body. */
  readonly input: Input;
  /** 200 unless given. */
  readonly status?: 200 | 201;
  /** What its answer has, and nothing else gets into it. */
  readonly output: z.ZodType<Output>;
  /** What it answers; `undefined` where the path leads to nothing that there is. */
  run(parameters: Readonly<Record<ParameterOf<Path>, string>>, input: z.output<Input>): May<unknown>;
}

export type Operation = OperationOf<string, z.ZodObject, unknown>;

/** The operation, with its types checked against each other. */
export function operation<const Path extends string, Input extends z.ZodObject, Output>(
  one: OperationOf<Path, Input, Output>,
): Operation {
  return one as unknown as Operation;
}

/** Where a path leads: what may be done there, by method. */
export interface Place {
  readonly operations: ReadonlyMap<string, Operation>;
  readonly parameters: Readonly<Record<string, string>>;
}

/** `undefined` where a path leads nowhere. It is taken as it comes: `..` and doubled slashes are names like others. */
export function placeOf(operations: readonly Operation[], path: string): Place | undefined {
  const segments = segmentsOf(path);
  if (segments === undefined) return undefined;
  const fitting = operations.filter((one) => isFitting(one.path.split('/'), segments));
  if (fitting.length === 0) return undefined;
  const parameters = fitting[0].path
    .split('/')
    .flatMap((part, i) => (isParameter(part) ? [[nameOf(part), segments[i]]] : []));
  return {
    operations: new Map(fitting.map((one) => [one.method, one])),
    parameters: Object.fromEntries(parameters),
  };
}

export function parametersOf(path: string): readonly string[] {
  return path.split('/').filter(isParameter).map(nameOf);
}

function segmentsOf(path: string): readonly string[] | undefined {
  try {
    return path.split('/').map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

function isFitting(parts: readonly string[], segments: readonly string[]): boolean {
  if (parts.length !== segments.length) return false;
  return parts.every((part, i) => (isParameter(part) ? segments[i] !== '' : part === segments[i]));
}

function isParameter(part: string): boolean {
  return part.startsWith('{');
}

function nameOf(part: string): string {
  return part.slice(1, -1);
}
