import { Readable } from 'node:stream';
import fc from 'fast-check';
import {
  estimateOf,
  MAX_CHARACTERS,
  MAX_CHOICES,
  MAX_TOKENS,
  MAX_VALUES,
  PICTURE_TOKENS,
  TOOLS_TOKENS,
  weighOnce,
} from '../../packages/core/src/money/body.js';
import { MOST_PER_CHARACTER } from '../../packages/core/src/money/text.js';

/** As base64, 50,000 characters that are weighed as text far above what a picture costs. */
const PICTURE = 'iVBORw0KGgo'.repeat(5000);
const HELLO = 'Could you rewrite this letter so that it sounds friendlier?';

const inputOf = (body: unknown) => estimateOf(body).inputTokens;
const maxOf = (body: unknown) => estimateOf(body).maxOutputTokens;

/** Texts and the greater of the counts that the tokenizers of GPT-4o (o200k_base) and Gemini give them. */
const COUNTED: readonly [string, number, string][] = [
  [
    'English',
    28,
    'Could you rewrite this letter so that it sounds friendlier, and keep it below a hundred words? The customer has waited for three weeks.',
  ],
  [
    'German',
    34,
    'Könntest du diesen Brief so umschreiben, dass er freundlicher klingt, und unter hundert Wörtern bleiben? Die Kundin wartet seit drei Wochen.',
  ],
  [
    'French',
    30,
    'Pourrais-tu réécrire cette lettre pour qu’elle paraisse plus aimable, en moins de cent mots ? La cliente attend depuis trois semaines.',
  ],
  [
    'Finnish',
    36,
    'Voisitko kirjoittaa tämän kirjeen uudelleen ystävällisemmin ja alle sadalla sanalla? Asiakas on odottanut kolme viikkoa.',
  ],
  [
    'Turkish',
    34,
    'Bu mektubu daha samimi bir dille, yüz kelimeyi geçmeden yeniden yazar mısın? Müşteri üç haftadır bekliyor.',
  ],
  [
    'Vietnamese',
    31,
    'Bạn có thể viết lại bức thư này cho thân thiện hơn, dưới một trăm từ không? Khách hàng đã chờ ba tuần rồi.',
  ],
  ['Russian', 28, 'Перепиши, пожалуйста, это письмо дружелюбнее и короче ста слов. Клиентка ждёт уже три недели.'],
  ['Greek', 32, 'Μπορείς να ξαναγράψεις αυτό το γράμμα πιο φιλικά, με λιγότερες από εκατό λέξεις;'],
  ['Hebrew', 25, 'תוכל לכתוב מחדש את המכתב הזה בצורה ידידותית יותר, בפחות ממאה מילים?'],
  ['Arabic', 21, 'هل يمكنك إعادة كتابة هذه الرسالة بأسلوب ألطف وبأقل من مئة كلمة؟'],
  ['Hindi', 23, 'क्या आप इस पत्र को सौ शब्दों से कम में और दोस्ताना ढंग से लिख सकते हैं?'],
  ['Thai', 27, 'ช่วยเขียนจดหมายฉบับนี้ใหม่ให้เป็นกันเองมากขึ้นและไม่เกินหนึ่งร้อยคำได้ไหม'],
  ['Chinese', 27, '请把这封信改写得更友好一些，不要超过一百个字。客户已经等了三个星期。'],
  ['Japanese', 34, 'この手紙をもっと親しみやすく、百語以内で書き直してもらえますか。お客様は三週間待っています。'],
  ['Korean', 33, '이 편지를 백 단어 이내로 더 친근하게 다시 써 줄 수 있나요? 고객이 삼 주째 기다리고 있습니다.'],
  ['emoji', 17, '🎉🚀🔥 👩🏽‍💻 ✅ 🇯🇵'],
  [
    'TypeScript',
    57,
    'export const sum = (xs: readonly number[]): number => xs.reduce((a, x) => a + x, 0);\n\nfunction isOpen(door: Door): boolean {\n  return door.state !== "shut" && !door.locked;\n}\n',
  ],
  [
    'JSON',
    42,
    '{"id":1042,"name":"Ada","tags":["new","vip"],"address":{"city":"Bath","zip":"BA1 2FJ"},"balance":-12.5}',
  ],
  ['a table', 52, 'date,amount,user\n2026-11-03,129.95,anna@example.com\n2026-11-04,8.20,omar@example.com\n'],
];

describe('text', () => {
  test.each(COUNTED)('%s is no less than its %d tokens', (name, tokens, text) => {
    const estimate = inputOf(text);
    expect(estimate).toBeGreaterThanOrEqual(tokens);
    const most = ['Greek', 'Hebrew', 'Arabic', 'Hindi', 'Thai'].includes(name) ? 7 : 2.2;
    expect(estimate).toBeLessThanOrEqual(tokens * most);
  });

  test('as bytes weighs what it weighs as a string', () => {
    for (const [, , text] of COUNTED) expect(inputOf(Buffer.from(text))).toBe(inputOf(text));
    expect(inputOf(new Uint8Array(Buffer.from(HELLO)))).toBe(inputOf(HELLO));
    expect(inputOf(new DataView(new Uint8Array(Buffer.from(`..${HELLO}..`)).buffer, 2, HELLO.length))).toBe(
      inputOf(HELLO),
    );
  });

  test('more of it is never fewer tokens, and a character never more than the most', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        expect(inputOf(a + b)).toBeGreaterThanOrEqual(inputOf(a));
        expect(inputOf(a)).toBeLessThanOrEqual(a.length * MOST_PER_CHARACTER);
      }),
    );
  });

  test.each([[''], [{}], [[]], [null], [undefined], [true], [42], [7n], [Symbol('x')], [() => 'x'], [new Date(0)]])(
    '%p has none',
    (body) => {
      expect(estimateOf(body)).toEqual({ inputTokens: 0, maxOutputTokens: undefined, choices: 1 });
    },
  );

  test('settings alone are none', () => {
    expect(estimateOf({ temperature: 0.7, stream: true, max_tokens: 50, messages: [], metadata: {} })).toEqual({
      inputTokens: 0,
      maxOutputTokens: 50,
      choices: 1,
    });
  });
});

describe('every API', () => {
  const schema = {
    type: 'object',
    properties: { city: { type: 'string', description: 'The city to look up' } },
    required: ['city'],
  };

  const bodies: Record<string, { with: (text: string) => object; max?: number }> = {
    'OpenAI chat': {
      with: (text) => ({
        model: 'gpt-4o',
        max_completion_tokens: 800,
        messages: [
          { role: 'system', content: 'Be brief.' },
          { role: 'user', content: [{ type: 'text', text }] },
        ],
      }),
      max: 800,
    },
    'OpenAI chat, a system prompt': {
      with: (text) => ({
        messages: [
          { role: 'system', content: text },
          { role: 'user', content: 'Hi' },
        ],
      }),
    },
    'OpenAI responses, a string': { with: (input) => ({ model: 'gpt-5', input, max_output_tokens: 300 }), max: 300 },
    'OpenAI responses, a list': {
      with: (text) => ({
        instructions: 'Be brief.',
        input: [{ role: 'user', content: [{ type: 'input_text', text }] }],
      }),
    },
    'OpenAI responses, the output of a tool': {
      with: (output) => ({ input: [{ type: 'function_call_output', call_id: 'call_1', output }] }),
    },
    'OpenAI embeddings, a string': { with: (input) => ({ model: 'text-embedding-3-small', input }) },
    'OpenAI embeddings, a list': { with: (text) => ({ input: ['one', text] }) },
    'Anthropic messages': {
      with: (text) => ({
        model: 'claude-opus-4-6',
        max_tokens: 4000,
        thinking: { type: 'enabled', budget_tokens: 3000 },
        messages: [{ role: 'user', content: [{ type: 'text', text }] }],
      }),
      max: 4000,
    },
    'Anthropic, a system prompt in blocks': {
      with: (text) => ({ system: [{ type: 'text', text, cache_control: { type: 'ephemeral' } }], messages: [] }),
    },
    'Anthropic, the result of a tool': {
      with: (content) => ({
        messages: [{ role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content }] }],
      }),
    },
    'Anthropic, a document of plain text': {
      with: (data) => ({
        messages: [{ content: [{ type: 'document', source: { type: 'text', media_type: 'text/plain', data } }] }],
      }),
    },
    Gemini: {
      with: (text) => ({
        systemInstruction: { parts: [{ text: 'Be brief.' }] },
        contents: [{ role: 'user', parts: [{ text }] }],
        generationConfig: { maxOutputTokens: 256, temperature: 0.2 },
      }),
      max: 256,
    },
    'Gemini, a system instruction': {
      with: (text) => ({ system_instruction: { parts: [{ text }] }, generation_config: { max_output_tokens: 64 } }),
      max: 64,
    },
    "an app's own message": { with: (message) => ({ message, maxTokens: 99 }), max: 99 },
    "an app's own prompt": { with: (prompt) => ({ prompt, options: { maxOutputTokens: 7 } }), max: 7 },
    'a tool described': {
      with: (description) => ({ tools: [{ name: 'weather', description, input_schema: schema }], messages: [] }),
    },
  };

  test.each(Object.entries(bodies))('%s', (_, { with: bodyWith, max }) => {
    const short = inputOf(bodyWith('Hi'));
    const long = inputOf(bodyWith(HELLO.repeat(100)));
    expect(short).toBeGreaterThan(0);
    expect(short).toBeLessThan(TOOLS_TOKENS + 100);
    expect(long - short).toBeGreaterThanOrEqual(inputOf(HELLO.repeat(100)) - 3);
    expect(long - short).toBeLessThanOrEqual(inputOf(HELLO.repeat(100)));
    expect(maxOf(bodyWith('Hi'))).toBe(max);
  });

  test('a message costs its wrapping: no less than the four tokens that OpenAI takes for it', () => {
    const message = { role: 'user', content: 'Hi' };
    const [one, many] = [1, 101].map((n) => inputOf({ messages: Array(n).fill(message) })) as [number, number];
    expect(many - one).toBeGreaterThanOrEqual(100 * 5);
    expect(many - one).toBeLessThanOrEqual(100 * 12);
  });

  test('tools cost the instructions that come with them, and only at the top', () => {
    const tools = [{ name: 'weather', input_schema: schema }];
    const bare = inputOf({ prompt: 'Hi', functions: tools });
    expect(inputOf({ prompt: 'Hi', tools }) - bare).toBeGreaterThanOrEqual(TOOLS_TOKENS - 5);
    expect(inputOf({ prompt: 'Hi', tools: [] })).toBeLessThan(20);
    expect(inputOf({ prompt: 'Hi', data: { tools } })).toBeLessThan(TOOLS_TOKENS);
  });

  test('a prompt given as tokens is so many', () => {
    expect(inputOf({ input: Array(1000).fill(48213) })).toBeGreaterThanOrEqual(1000);
    expect(inputOf({ input: Array(1000).fill(48213) })).toBeLessThan(1010);
  });
});

describe('pictures and files', () => {
  const about = (tokens: number, body: unknown) => {
    expect(inputOf(body)).toBeGreaterThanOrEqual(tokens);
    expect(inputOf(body)).toBeLessThan(tokens + 100);
  };

  test.each<[string, object]>([
    ['OpenAI chat, data', { type: 'image_url', image_url: { url: `data:image/png;base64,${PICTURE}` } }],
    ['OpenAI chat, address', { type: 'image_url', image_url: { url: 'https://example.com/a.png', detail: 'high' } }],
    ['OpenAI responses, data', { type: 'input_image', image_url: `data:image/jpeg;base64,${PICTURE}` }],
    ['OpenAI responses, address', { type: 'input_image', image_url: 'https://example.com/a.png' }],
    ['OpenAI responses, file', { type: 'input_file', file_id: 'file-6F2ksmvXxt4VdoqmHRw6kL' }],
    ['Anthropic, data', { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PICTURE } }],
    ['Anthropic, data first', { type: 'image', source: { data: PICTURE, media_type: 'image/png', type: 'base64' } }],
    ['Anthropic, address', { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } }],
    ['Anthropic, file', { type: 'image', source: { type: 'file', file_id: 'file_011CNha8iCJcU1wXNR6q4V8w' } }],
    ['Gemini, data', { inlineData: { mimeType: 'image/webp', data: PICTURE } }],
    ['Gemini, data, in snake case', { inline_data: { mime_type: 'image/webp', data: PICTURE } }],
    ['Gemini, file', { fileData: { mimeType: 'image/png', fileUri: 'https://example.com/files/abc' } }],
    ['AI SDK, data', { type: 'file', mediaType: 'image/png', url: `data:image/png;base64,${PICTURE}` }],
    ['AI SDK, address', { type: 'file', mediaType: 'image/png', url: 'https://example.com/a.png' }],
    ['an upload', { file: Buffer.from(PICTURE) }],
  ])('%s costs a picture, whatever its size', (_, part) => {
    about(PICTURE_TOKENS, { messages: [{ role: 'user', content: [part] }] });
    about(2 * PICTURE_TOKENS, { messages: [{ role: 'user', content: [part, structuredClone(part)] }] });
  });

  test('sound goes by its length, at no less than what a second costs', () => {
    const minute = 'A'.repeat((60 * 8000 * 4) / 3); // 64 kbit/s; Gemini counts 32 tokens a second, OpenAI 10.
    const part = { type: 'input_audio', input_audio: { data: minute, format: 'mp3' } };
    expect(inputOf([part])).toBeGreaterThanOrEqual(60 * 32);
    expect(inputOf([part])).toBeLessThan(60 * 32 * 10);
    expect(inputOf([{ inlineData: { mimeType: 'audio/ogg', data: minute } }])).toBeGreaterThanOrEqual(60 * 32);
  });

  test('a PDF goes by its size, and is no less than a picture', () => {
    const pdf = (data: string) => [{ source: { type: 'base64', media_type: 'application/pdf', data } }];
    about(PICTURE_TOKENS, pdf('JVBERi0xLjQK'));
    expect(inputOf(pdf('A'.repeat(400_000)))).toBeGreaterThan(100_000);
  });

  test('what only looks like one is text', () => {
    const text = HELLO.repeat(1000);
    for (const body of [
      { prompt: `data: ${text}` },
      { format: 'json', data: text },
      { data: text },
      { media_type: 'text/plain', data: text },
      { file: `data:text/plain,${text}` },
      { file: `data: ${text}` },
      ...['text', 'content', 'input', 'prompt', 'message'].map((name) => ({ [name]: `data:image/png;base64,${text}` })),
      { input: [`data:image/png;base64,${text}`] },
    ]) {
      expect(inputOf(body)).toBeGreaterThanOrEqual(inputOf(text));
    }
  });
});

describe('the declared maximum', () => {
  const names = [
    ...['max_tokens', 'max_completion_tokens', 'max_output_tokens', 'max_new_tokens', 'max_tokens_to_sample'],
    ...['maxTokens', 'maxCompletionTokens', 'maxOutputTokens', 'maxNewTokens', 'maxTokensToSample', 'num_predict'],
  ];

  test.each(names)('%s, in the body or in an object of it', (name) => {
    expect(maxOf({ prompt: 'Hi', [name]: 123 })).toBe(123);
    expect(maxOf({ prompt: 'Hi', generationConfig: { [name]: 123 } })).toBe(123);
  });

  test('is the largest of those that conflict, in any order', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), fc.nat(1e6), { minKeys: 1 }), fc.nat(1e6), (max, inner) => {
        const largest = Math.max(inner, ...Object.values(max));
        expect(maxOf({ ...max, generationConfig: { maxOutputTokens: inner } })).toBe(largest);
        expect(maxOf({ generationConfig: { maxOutputTokens: inner }, ...max })).toBe(largest);
      }),
    );
  });

  test.each([
    ['500'],
    [Number.NaN],
    [-1],
    [-0.5],
    [Number.POSITIVE_INFINITY],
    [Number.NEGATIVE_INFINITY],
    [null],
    [undefined],
    [[500]],
    [{ value: 500 }],
    [500n],
    [true],
    [0],
  ])('%p is none', (value) => {
    expect(maxOf({ max_tokens: value })).toBeUndefined();
    expect(maxOf({ max_tokens: value, max_output_tokens: 9 })).toBe(9);
  });

  test.each([
    [0.5, 1],
    [1e300, MAX_TOKENS],
    [Number.MAX_VALUE, MAX_TOKENS],
  ])('%p is %d', (value, max) => {
    expect(maxOf({ max_tokens: value })).toBe(max);
  });

  test.each(['n', 'best_of', 'candidateCount', 'candidate_count'])(
    'is for each of the answers that %s asks for',
    (n) => {
      expect(maxOf({ max_tokens: 100, [n]: 3 })).toBe(300);
      expect(maxOf({ [n]: 3, max_tokens: 100 })).toBe(300);
      expect(maxOf({ generationConfig: { maxOutputTokens: 100, [n]: 2 } })).toBe(200);
      for (const none of [0, -5, 1, Number.NaN, Number.POSITIVE_INFINITY, '4', null]) {
        expect(maxOf({ max_tokens: 100, [n]: none })).toBe(100);
      }
      expect(maxOf({ max_tokens: 100, [n]: 1e9 })).toBe(100 * MAX_CHOICES);
      expect(maxOf({ [n]: 3 })).toBeUndefined();
    },
  );

  test("isn't looked for in what is said", () => {
    expect(maxOf({ messages: [{ content: [{ type: 'tool_use', input: { max_tokens: 9000 } }] }] })).toBeUndefined();
    expect(maxOf({ tools: [{ input_schema: { properties: { max_tokens: { type: 'integer' } } } }] })).toBeUndefined();
    expect(maxOf({ user: { profile: { max_tokens: 5 } } })).toBeUndefined();
    expect(maxOf({ prompt: HELLO, metadata: { max_tokens: 1 } })).toBeUndefined();
    expect(maxOf({ prompt: HELLO, config: { max_tokens: 1 } })).toBe(1);
    expect(maxOf('{"max_tokens":5}')).toBeUndefined();
  });
});

describe('hostile bodies', () => {
  const nested = (depth: number, wrap: (inner: unknown) => unknown) => {
    let body: unknown = { prompt: 'Hi' };
    for (let i = 0; i < depth; i++) body = wrap(body);
    return body;
  };

  test.each<[string, (inner: unknown) => unknown]>([
    ['objects', (a) => ({ a })],
    ['lists', (a) => [a]],
  ])('%s 100,000 deep', (_, wrap) => {
    expect(inputOf(nested(90_000, wrap))).toBeGreaterThan(0);
    expect(inputOf(nested(90_000, wrap))).toBeLessThan(200_000);
    expect(inputOf(nested(MAX_VALUES, wrap))).toBe(MAX_TOKENS);
  });

  test('with more than is looked at are taken for the greatest', () => {
    expect(inputOf(Object.fromEntries(Array.from({ length: 1_000_000 }, (_, i) => [`key${i}`, 'x'])))).toBe(MAX_TOKENS);
    expect(inputOf(new Array(2 ** 32 - 1))).toBe(MAX_TOKENS);
    let shared: unknown = ['Hi'];
    for (let i = 0; i < 100; i++) shared = [shared, shared];
    expect(inputOf(shared)).toBe(MAX_TOKENS);
  });

  test('beyond what is weighed one by one, a text counts the most that it could', () => {
    const close = 'a'.repeat(MAX_CHARACTERS);
    const rest = 'a'.repeat(10_000_000 - MAX_CHARACTERS);
    const all = inputOf(close) + rest.length * MOST_PER_CHARACTER;
    expect(inputOf(close + rest)).toBe(all);
    expect(inputOf([close, ...Array(100).fill('a'.repeat(1000))])).toBe(inputOf(close) + 100_000 * MOST_PER_CHARACTER);
    expect(inputOf('\u{20000}'.repeat(5_000_000))).toBeGreaterThanOrEqual(5_000_000 * 3);
    expect(inputOf(Buffer.alloc(10_000_000, 'a'))).toBe(inputOf(close) + rest.length);
    expect(inputOf(Array(40).fill('a'.repeat(10_000_000)))).toBe(MAX_TOKENS);
  });

  test('that hold themselves count what is in them once', () => {
    const body: Record<string, unknown> = { prompt: HELLO };
    const list: unknown[] = [body];
    Object.assign(body, { self: body, list, inner: { body } });
    list.push(list);
    expect(inputOf(body)).toBeGreaterThanOrEqual(inputOf({ prompt: HELLO }));
    expect(inputOf(body)).toBeLessThan(inputOf({ prompt: HELLO }) + 20);
  });

  test('that hold the same object twice count it twice, as they are sent', () => {
    const message = { role: 'user', content: HELLO };
    expect(inputOf({ messages: [message, message] })).toBe(inputOf({ messages: [message, { ...message }] }));
  });

  test('that throw when they are read count what can be read', () => {
    const refuse = () => {
      throw new Error('no');
    };
    const body = {
      get early() {
        return refuse();
      },
      prompt: HELLO,
      list: new Proxy([1, 2], { get: refuse }),
      keys: new Proxy({}, { ownKeys: refuse }),
      proto: new Proxy({ a: 1 }, { getPrototypeOf: refuse, has: refuse, getOwnPropertyDescriptor: refuse }),
      max_tokens: 5,
    };
    expect(inputOf(body)).toBeGreaterThanOrEqual(inputOf({ prompt: HELLO }));
    expect(maxOf(body)).toBe(5);
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(inputOf(proxy)).toBe(0);
    expect(inputOf({ prompt: HELLO, proxy })).toBeGreaterThan(0);
    for (const length of [Number.NaN, -1, 'x', null]) {
      expect(inputOf(new Proxy([], { get: () => length }))).toBe(0);
    }
  });

  test('whose bytes were given away are empty', () => {
    const bytes = Buffer.from(new ArrayBuffer(100));
    const view = new DataView(bytes.buffer);
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    expect(inputOf(bytes)).toBe(0);
    expect(inputOf(view)).toBe(0);
  });

  test('run nothing of their own', () => {
    const run = jest.fn(() => 'x');
    const body = { toJSON: run, toString: run, valueOf: run, [Symbol.toPrimitive]: run, [Symbol.iterator]: run };
    estimateOf({ ...body, prompt: body, max_tokens: body });
    estimateOf(body);
    expect(run).not.toHaveBeenCalled();
  });

  test('streams are none', () => {
    expect(inputOf(Readable.from(['Hi']))).toBe(0);
    expect(inputOf(new ReadableStream())).toBe(0);
    const file = Object.assign(Readable.from(['Hi']), { path: HELLO });
    const web = Object.assign(new ReadableStream(), { path: HELLO });
    expect(inputOf(file)).toBe(0);
    expect(inputOf({ file, web })).toBe(0);
  });

  test('names of the language are like any other', () => {
    const body = JSON.parse(`{"__proto__":{"max_tokens":9},"constructor":"${HELLO}","hasOwnProperty":1,"toString":2}`);
    expect(inputOf(body)).toBeGreaterThanOrEqual(inputOf(HELLO));
    expect(maxOf(Object.assign(Object.create({ max_tokens: 9 }), { prompt: 'Hi' }))).toBeUndefined();
  });

  test('never throw, and give whole numbers in their range', () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withTypedArray: true,
      withSparseArray: true,
      withBoxedValues: true,
      key: fc.oneof(fc.string(), fc.constantFrom('max_tokens', 'n', 'data', 'url', 'tools', 'source', 'media_type')),
    });
    fc.assert(
      fc.property(anything, (body) => {
        const { inputTokens, maxOutputTokens = 0 } = estimateOf(body);
        for (const tokens of [inputTokens, maxOutputTokens]) {
          expect(Number.isInteger(tokens) && tokens >= 0 && tokens <= MAX_TOKENS).toBe(true);
        }
      }),
    );
  });
});

test('a body that is weighed once says the same from then on', () => {
  const body = { prompt: HELLO, max_tokens: 9 };
  weighOnce(body);
  const first = estimateOf(body);
  body.prompt += HELLO;
  expect([first, estimateOf(body)]).toEqual([estimateOf({ prompt: HELLO, max_tokens: 9 }), first]);
});
