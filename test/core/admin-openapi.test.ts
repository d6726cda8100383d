/** The description of the admin surface is valid, and true of what is asked and answered. */
import { compileErrors, validate } from '@readme/openapi-parser';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { type AdminBench, openAdmin } from '../helpers/admin-bench.js';
import { closeServers } from '../helpers/http-server.js';
import { recordWarnings } from '../helpers/http-warnings.js';

recordWarnings();
afterEach(closeServers);

const upstreams = { llm: { inspect: () => ({ keys: [{ name: 'prod-1', room: 0.5 }] }) } };

test('it is a valid OpenAPI 3.1 document', async () => {
  const { ask } = await openAdmin({ upstreams });
  const { status, json } = await ask('GET', '/admin/openapi.json');
  expect([status, json.openapi]).toEqual([200, '3.1.1']);
  const result = await validate(structuredClone(json));
  expect(result.valid ? '' : compileErrors(result)).toBe('');
});

test('every operation of it can be asked for, is told what it says, and answers what it says', async () => {
  const bench = await openAdmin({ upstreams });
  const { json: document } = await bench.ask('GET', '/admin/openapi.json');
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  ajv.addSchema({ $id: 'openapi', ...document });
  const misfits = (path: readonly string[], value: unknown) => {
    const pointer = path
      .map((one) => one.replaceAll('~', '~0').replaceAll('/', '~1'))
      .map(encodeURIComponent)
      .join('/');
    const isFitting = ajv.getSchema(`openapi#/${pointer}/schema`);
    if (!isFitting) throw new Error(`no schema at ${path.join(' ')}`);
    return isFitting(value) ? [] : isFitting.errors;
  };

  const done: string[] = [];
  for (const { at, method, path, body } of await asked(bench)) {
    const operation = document.paths[at][method.toLowerCase()];
    const here = ['paths', at, method.toLowerCase()];
    if (body) expect([at, misfits([...here, 'requestBody', 'content', 'application/json'], body)]).toEqual([at, []]);
    const { status, json } = await bench.ask(method, `/admin${path}`, body);
    const answer = [...here, 'responses', String(status), 'content', 'application/json'];
    expect([at, misfits(answer, json)]).toEqual([at, []]);
    done.push(operation.operationId);
  }
  const all = Object.values(document.paths as Record<string, Record<string, { operationId: string }>>);
  expect(done.sort()).toEqual(all.flatMap((ways) => Object.values(ways).map((one) => one.operationId)).sort());

  const wrong = await bench.ask('POST', '/admin/keys', { service: '', colour: 1 });
  const problem = ['paths', '/keys', 'post', 'responses', 'default', 'content', 'application/problem+json'];
  expect(misfits(problem, wrong.json)).toEqual([]);
  // Schemas that let everything through would tell nothing.
  expect(misfits(problem, { keys: [] })).not.toEqual([]);
});

/** Each operation once, with all that it can be told. */
async function asked({ keys }: AdminBench) {
  const { key } = await keys.create({ service: 'first', subject: { tenant: 'acme', plan: 'pro' } });
  const one = `/keys/${key.id}`;
  const newKey = {
    service: 'search',
    environment: 'staging',
    subject: { tenant: 'acme', plan: 'pro' },
    scopes: { routes: ['POST /chat'], features: ['chat'], models: ['cheap-*'] },
    limits: { spend: '$9' },
    expiresIn: '30d',
  };
  const { service: _service, environment: _environment, ...change } = newKey;
  const gate = '/gates/{gate}';
  return [
    { at: '/keys', method: 'GET', path: '/keys?limit=1' },
    { at: '/keys', method: 'POST', path: '/keys', body: newKey },
    { at: '/keys/{id}', method: 'GET', path: one },
    { at: '/keys/{id}', method: 'PATCH', path: one, body: change },
    { at: '/keys/{id}/rotate', method: 'POST', path: `${one}/rotate`, body: { overlap: '1h', expiresIn: '9d' } },
    { at: '/keys/{id}/revoke', method: 'POST', path: `${one}/revoke`, body: {} },
    { at: '/gates', method: 'GET', path: '/gates' },
    { at: `${gate}/usage`, method: 'GET', path: `/gates/api/usage?user=u1&tenant=acme&plan=pro&key=${key.id}` },
    { at: `${gate}/line`, method: 'GET', path: '/gates/api/line' },
    {
      at: `${gate}/limits/{limit}`,
      method: 'PATCH',
      path: '/gates/api/limits/plan',
      body: { limit: { free: 1, pro: '2k' }, mode: 'shadow' },
    },
    {
      at: `${gate}/budgets/{budget}`,
      method: 'PATCH',
      path: '/gates/api/budgets/spend',
      body: { alertAt: [0.5], reserve: 'worst', onStoreError: 'closed' },
    },
    {
      at: `${gate}/budgets/{budget}/top-up`,
      method: 'POST',
      path: '/gates/api/budgets/spend/top-up',
      body: { whom: { key: key.id }, amount: '$2' },
    },
    {
      at: `${gate}/budgets/{budget}/reset`,
      method: 'POST',
      path: '/gates/api/budgets/spend/reset',
      body: { whom: { key: key.id } },
    },
    { at: '/upstreams', method: 'GET', path: '/upstreams' },
    { at: '/openapi.json', method: 'GET', path: '/openapi.json' },
  ] as { at: string; method: string; path: string; body?: object }[];
}
