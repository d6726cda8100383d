/** The OpenAPI 3.1 document of a list of operations. Whatever it says is what they are checked by. */
import { z } from 'zod';
import { type Operation, parametersOf } from './operation.js';
import { SHARED } from './schemas.js';

type Json = Readonly<Record<string, unknown>>;

const SCHEMAS = '#/components/schemas';

export function openApi(operations: readonly Operation[]): Json {
  const names = namesOf(operations);
  const registry = z.registry<{ id: string }>();
  for (const [schema, id] of names) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => `${SCHEMAS}/${id}` });
  // Where they stand says what they are called, and the version of OpenAPI what they are written in.
  const components = Object.entries(schemas).map(([id, { $schema, $id, ...schema }]) => [id, schema]);

  function contentOf(schema: z.ZodType, type = 'application/json'): Json {
    return { [type]: { schema: { $ref: `${SCHEMAS}/${names.get(schema)}` } } };
  }

  function describe({ id, method, path, summary, input, status = 200, output }: Operation): Json {
    const inPath = parametersOf(path).map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
    const isGet = method === 'GET';
    return {
      operationId: id,
      summary,
      parameters: [...inPath, ...(isGet ? queryOf(input) : [])],
      ...(!isGet && { requestBody: { required: true, content: contentOf(input) } }),
      responses: {
        [status]: { description: 'Done.', content: contentOf(output) },
        default: { description: 'Not done.', content: contentOf(SHARED.Problem, 'application/problem+json') },
      },
    };
  }

  const paths: Record<string, Record<string, Json>> = {};
  for (const one of operations) {
    paths[one.path] ??= {};
    paths[one.path][one.method.toLowerCase()] = describe(one);
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Tollgate',
      version: '1',
      description: 'Keys, budgets, limits, lines and upstreams, for operators.',
    },
    // Relative to the document.
    servers: [{ url: '.' }],
    paths,
    components: { schemas: Object.fromEntries(components) },
  };
}

/** What is told by a query: each field is a parameter. */
function queryOf(input: z.ZodObject): readonly Json[] {
  const { properties = {}, required = [] } = z.toJSONSchema(input);
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
  }));
}

/** What each schema is called: its own name, or that of the operation it belongs to. */
function namesOf(operations: readonly Operation[]): ReadonlyMap<z.ZodType, string> {
  const names = new Map<z.ZodType, string>(Object.entries(SHARED).map(([name, schema]) => [schema, name]));
  for (const { id, method, input, output } of operations) {
    const name = id[0].toUpperCase() + id.slice(1);
    if (method !== 'GET' && !names.has(input)) names.set(input, name);
    if (!names.has(output)) names.set(output, `${name}Answer`);
  }
  return names;
}
