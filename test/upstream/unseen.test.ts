import { withUnseen } from '../../packages/upstream/src/usage/unseen.js';

const TEXT = 'Please summarise the report for our customers in three paragraphs, and mention every deadline.';
/** Its words and marks. */
const TOKENS = 17;

const asking = (content: unknown) => ({ model: 'gpt-5', messages: [{ role: 'user', content }] });

test.each([
  ['chat', asking(TEXT)],
  ['parts', asking([{ type: 'text', text: TEXT }])],
  ['responses', { model: 'gpt-5', instructions: TEXT }],
  ['tools', { model: 'gpt-5', tools: [{ type: 'function', name: 'search', description: TEXT }] }],
])('a prompt that nobody counted is counted: %s', (_, body) => {
  const { inputTokens = 0 } = withUnseen(undefined, body);
  expect(inputTokens).toBeGreaterThan(TOKENS);
  expect(inputTokens).toBeLessThan(2 * TOKENS);
});

test('what was told of the prompt holds', () => {
  expect(withUnseen({ inputTokens: 3, outputTokens: 20 }, asking(TEXT))).toEqual({ inputTokens: 3, outputTokens: 21 });
});

test('an answer is taken for a twentieth longer than was seen of it, and for a token at least', () => {
  expect(withUnseen({ outputTokens: 1 }, undefined).outputTokens).toBe(2);
  expect(withUnseen({ outputTokens: 200 }, undefined).outputTokens).toBe(210);
  expect(withUnseen({ outputTokens: 0 }, undefined).outputTokens).toBe(0);
  expect(withUnseen(undefined, undefined)).toEqual({ inputTokens: undefined, outputTokens: undefined });
});

test.each([
  ['a picture', asking([{ type: 'image_url', image_url: { url: 'https://example.com/a.png' } }])],
  ['a file', asking([{ type: 'file', file: { file_id: 'f' } }])],
  ['tokens', { model: 'gpt-5', prompt: [1, 2, 3] }],
  ['no JSON', 'text'],
])('what is not all text stands as estimated: %s', (_, body) => {
  expect(withUnseen({ outputTokens: 1 }, body).inputTokens).toBeUndefined();
});

test('depth and length are no way to stop the process', () => {
  const deep = JSON.parse(`${'['.repeat(100_000)}"x"${']'.repeat(100_000)}`);
  expect(withUnseen(undefined, { input: deep }).inputTokens).toBeGreaterThan(0);
  expect(withUnseen(undefined, { tools: deep }).inputTokens).toBeGreaterThan(0);
  expect(withUnseen(undefined, { input: new Array(300_000).fill('x') }).inputTokens).toBeGreaterThan(0);
});
