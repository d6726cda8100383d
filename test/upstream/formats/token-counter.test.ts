import fc from 'fast-check';
import { tokenCounter } from '../../../packages/upstream/src/formats/token-counter.js';

/** Texts, and how many tokens they are to GPT-4o (o200k_base). */
const COUNTED: readonly [string, number, string][] = [
  [
    'English',
    135,
    'A toll is a fee that you pay to pass a gate, a bridge or a road. In the Middle Ages, towns lived on it: whoever brought wine, salt or cloth to the market paid at the gate, and the guard wrote it down. Today most tolls are collected without stopping. A camera reads the number plate, a computer looks up the account, and the bill comes at the end of the month. Some cities charge more when the streets are full, so that those who can wait do. It works, although nobody likes it at first: within a year there is less traffic, the buses are on time, and the money pays for new ones.',
  ],
  [
    'Markdown',
    117,
    '## What to check first\n\n1. **Is the key right?** Look for spaces at its end.\n2. **Is there room left?** Open the dashboard and compare *used* with *limit*.\n3. **Does the request time out?** Raise `timeout` to 60 seconds and try again.\n\nIf none of this helps:\n\n- write down the request id\n- send it to support, together with the time and the region\n- in the meantime, switch to the smaller model\n\n> Note: limits are counted per minute, not per request.',
  ],
  [
    'TypeScript',
    125,
    'export async function loadUser(id: string, options: LoadOptions = {}): Promise<User | undefined> {\n  const { signal, retries = 2 } = options;\n  for (let attempt = 0; attempt <= retries; attempt++) {\n    const response = await fetch(BASE_URL + encodeURIComponent(id), { signal });\n    if (response.status === 404) return undefined;\n    if (response.ok) return (await response.json()) as User;\n    await new Promise((resolve) => setTimeout(resolve, 100 * 2 ** attempt));\n  }\n  throw new Error(describe(id));\n}\n',
  ],
  [
    'JSON',
    120,
    '{"orders": [{"id": 1042, "customer": "Miller", "total": 129.5, "items": [{"name": "lamp", "count": 2}, {"name": "cable", "count": 1}], "shipped": true}, {"id": 1043, "customer": "Jones", "total": 18, "items": [{"name": "bulb", "count": 6}], "shipped": false, "note": "call before delivery"}], "page": 1, "more": false}',
  ],
];

function tokensOf(...pieces: string[]): number {
  const counter = tokenCounter();
  for (const piece of pieces) counter.add(piece);
  return counter.tokens;
}

test.each(COUNTED)('%s of %d tokens is counted to within a tenth', (_what, tokens, text) => {
  expect(tokensOf(text) / tokens).toBeGreaterThan(0.94);
  expect(tokensOf(text) / tokens).toBeLessThan(1.1);
});

test.each([
  ['', 0],
  ['a', 1],
  ['Hello', 1],
  ['Hello world', 2],
  ['世界', 2],
])('%p is %d', (text, tokens) => expect(tokensOf(text)).toBe(tokens));

test('it is the same in whatever pieces a text comes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(), (text, place) => {
      const at = place % (text.length + 1);
      expect(tokensOf(text.slice(0, at), text.slice(at))).toBe(tokensOf(text));
    }),
  );
});
