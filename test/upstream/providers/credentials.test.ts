/** A key is put in, in place of whatever an SDK has put there. */
import {
  anthropic,
  azure,
  bearer,
  compatible,
  gemini,
  groq,
  mistral,
  openai,
  openrouter,
  type Provider,
  together,
} from '@tollgate/upstream';
import { keys } from './support.js';

const baseUrl = 'https://example.com/v1';
const makers = { openai, groq, mistral, openrouter, together };
const byBearer = [...Object.values(makers).map((make) => make({ keys })), compatible({ keys, baseUrl })];

const cases: readonly (readonly [string, Provider, Record<string, string>])[] = [
  ...byBearer.map((provider) => [provider.name, provider, { authorization: 'Bearer sk-ours' }] as const),
  ['anthropic', anthropic({ keys }), { 'x-api-key': 'sk-ours' }],
  ['azure', azure({ keys, baseUrl }), { 'api-key': 'sk-ours' }],
  ['gemini', gemini({ keys }), { 'x-goog-api-key': 'sk-ours' }],
];

test.each(cases)('%s gets our key and nobody else’s', (_, provider, expected) => {
  const theirs = {
    authorization: 'Bearer theirs',
    'x-api-key': 'theirs',
    'api-key': 'theirs',
    'x-goog-api-key': 'theirs',
  };
  const headers = new Headers({ ...theirs, 'content-type': 'application/json' });
  const url = new URL('https://example.com/v1/models?alt=sse&key=theirs');
  provider.authorize(headers, 'sk-ours', url);
  expect(Object.fromEntries(headers)).toEqual({ ...expected, 'content-type': 'application/json' });
  expect(url.href).toBe('https://example.com/v1/models?alt=sse');
});

test('a URL without a key stays as it is, to the letter', () => {
  const href = 'https://example.com/v1/files?q=a%20b+c&monkey=1';
  const url = new URL(href);
  bearer(new Headers(), 'sk-ours', url);
  expect(url.href).toBe(href);
});
