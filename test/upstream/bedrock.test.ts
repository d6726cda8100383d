/** Bedrock behind an upstream: what is signed goes out unchanged, and is paid for by what the headers tell. */
import { runWithAdmission } from '@tollgate/core/context';
import { bedrock, createUpstream } from '@tollgate/upstream';
import { closeServers, portOf } from '../helpers/http-server.js';
import { admission, fakeServer, gateOf } from './support.js';

afterEach(closeServers);

const SIGNED = { authorization: 'AWS4-HMAC-SHA256 Credential=AKIA/20261123', 'content-type': 'application/json' };

test('a signed request arrives as it was, and its admission is settled by the headers of the answer', async () => {
  const headers = { 'x-amzn-bedrock-input-token-count': '10', 'x-amzn-bedrock-output-token-count': '5' };
  const { server, seen } = await fakeServer(() => ({ headers, body: { results: [] } }));
  const { gate, spent } = gateOf();
  const origin = `http://127.0.0.1:${portOf(server)}`;
  const llm = createUpstream({ gate, providers: [bedrock({ baseUrl: origin })] });
  const body = '{ "inputText":  "hi", "max_tokens": 20 }';
  const admitted = await admission(gate, { estimate: { inputTokens: 20, outputTokens: 20 } });
  const response = await runWithAdmission(admitted, () =>
    llm.fetch(`${origin}/model/amazon.titan-text/invoke`, { method: 'POST', headers: SIGNED, body }),
  );
  expect(await response.json()).toEqual({ results: [] });
  await admitted.conclude();
  expect(seen[0]).toMatchObject({ text: body, headers: SIGNED, path: '/model/amazon.titan-text/invoke' });
  expect(await spent('u1')).toBe(10 * 1 + 5 * 10);
  await llm.close();
});
