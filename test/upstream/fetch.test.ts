/** One call, from the client to a provider and back. */
import { createUpstream } from '@tollgate/upstream';
import { closeServers } from '../helpers/http-server.js';
import { answered, chat, fakeServer, gateOf, key, MODEL, post, provider, warnings } from './support.js';

beforeEach(() => void warnings());
afterEach(closeServers);

test("a call goes out with the provider's key in place of the client's, and else as it was", async () => {
  const { server, seen } = await fakeServer();
  const { gate } = gateOf();
  const llm = createUpstream({ gate, providers: [provider('one', server, [key('k1')])] });
  const { response, text } = await chat(gate, llm.fetch, server);
  expect(response.status).toBe(200);
  expect(JSON.parse(text)).toEqual(answered().body);
  expect(seen).toHaveLength(1);
  expect(seen[0]).toMatchObject({ key: 'secret-of-k1', path: '/v1/chat/completions', method: 'POST', model: MODEL });
});

test('what the provider tells of its usage is what the admission at hand is settled by', async () => {
  const { server } = await fakeServer();
  const { gate, spent } = gateOf();
  const llm = createUpstream({ gate, providers: [provider('one', server, [key('k1')])] });
  await chat(gate, llm.fetch, server);
  expect(await spent('u1')).toBe(10 * 1 + 5 * 10);
});

test('a call that nobody pays for is refused without being sent, and not in a way that an SDK tries again', async () => {
  const { server, seen } = await fakeServer();
  const { gate } = gateOf();
  const llm = createUpstream({ gate, providers: [provider('one', server, [key('k1')])] });
  const response = await post(llm.fetch, server);
  expect(response.status).toBe(403);
  expect(response.headers.get('x-should-retry')).toBe('false');
  expect(await response.text()).toContain('TOLLGATE_NO_ADMISSION');
  expect(seen).toHaveLength(0);
});
