import { bedrock, bedrockFormat } from '@tollgate/upstream';
import { answer, type FailureCase, NOW } from './support.js';

const baseUrl = 'https://bedrock-runtime.us-east-1.amazonaws.com';
const provider = bedrock({ baseUrl });

test('what is signed goes out as it came in', () => {
  const headers = new Headers({ authorization: 'AWS4-HMAC-SHA256 Credential=AKIA', 'x-amz-date': '20261123T120000Z' });
  const before = Object.fromEntries(headers);
  const url = new URL(`${baseUrl}/model/amazon.nova-lite-v1%3A0/converse?key=theirs`);
  const href = url.href;
  provider.authorize(headers, 'ours', url);
  expect([Object.fromEntries(headers), url.href]).toEqual([before, href]);
  expect(provider.keys).toHaveLength(1);
});

function error(type: string, message = ''): readonly [Record<string, string>, unknown] {
  return [{ 'x-amzn-errortype': `${type}:http://internal.amazon.com/coral/com.amazon.bedrock/` }, { message }];
}

test.each<FailureCase>([
  ['a success', answer(200), undefined],
  [
    'a limit that is used up',
    answer(429, ...error('ThrottlingException', 'Too many tokens, please wait')),
    { kind: 'throttled' },
  ],
  ['the same, told in the body', answer(429, {}, { __type: 'ThrottlingException' }), { kind: 'throttled' }],
  [
    'a day’s tokens',
    answer(429, ...error('ThrottlingException', 'Too many tokens per day')),
    { kind: 'exhausted', ofFamily: true },
  ],
  ['a quota, by a 400', answer(400, ...error('ServiceQuotaExceededException')), { kind: 'throttled' }],
  ['a mistake in the request', answer(400, ...error('ValidationException')), undefined],
  ['a model that isn’t ready', answer(429, ...error('ModelNotReadyException')), { kind: 'overloaded' }],
  ['a model that takes too long', answer(408, ...error('ModelTimeoutException')), { kind: 'broken' }],
  ['a model that fails', answer(424, ...error('ModelErrorException')), { kind: 'broken' }],
  ['the caller’s credentials', answer(403, ...error('ExpiredTokenException')), undefined],
  ['no room', answer(503, ...error('ServiceUnavailableException')), { kind: 'overloaded' }],
  ['a fault of theirs', answer(500, ...error('InternalServerException')), { kind: 'broken' }],
])('Bedrock: %s', (_, given, expected) => {
  expect(provider.failure(given, NOW)).toEqual(expected);
});

test('usage stands in headers', () => {
  const tokens = { input: '100', 'cache-read-input': '30', 'cache-write-input': '20', output: '7' };
  const headers = Object.fromEntries(
    Object.entries(tokens).map(([name, count]) => [`x-amzn-bedrock-${name}-token-count`, count]),
  );
  expect(provider.usage?.(answer(200, headers))).toEqual({
    inputTokens: 150,
    cachedInputTokens: 30,
    cacheWriteTokens: 20,
    outputTokens: 7,
  });
  expect(provider.usage?.(answer(200, { 'x-amzn-bedrock-input-token-count': '-1' }))).toBeUndefined();
});

test('a call names model and operation in its path', () => {
  expect(bedrockFormat.read('/model/amazon.nova-lite-v1%3A0/converse-stream', {})).toEqual({
    operation: 'converse',
    model: 'amazon.nova-lite-v1:0',
    stream: true,
  });
  expect(bedrockFormat.read('/model/anthropic.claude/invoke', {})).toMatchObject({
    operation: 'invoke',
    stream: false,
  });
  expect(bedrockFormat.read('/guardrail/x/apply', {})).toBeUndefined();
});

test('usage stands in the answers of Converse and of Claude too', () => {
  const of = (operation: string, usage: unknown) =>
    bedrockFormat.usage({ operation, model: 'm', stream: false }, { usage });
  const converse = { inputTokens: 10, outputTokens: 5, totalTokens: 15, cacheReadInputTokens: 4 };
  expect(of('converse', converse)).toMatchObject({ inputTokens: 14, cachedInputTokens: 4, outputTokens: 5 });
  expect(of('invoke', { input_tokens: 10, output_tokens: 5 })).toMatchObject({ inputTokens: 10, outputTokens: 5 });
  expect(of('converse', { inputTokens: -1 })).toBeUndefined();
});
