/** A call that goes upstream as the README shows it, in what any module setting accepts: one is paid for, the next one is refused. */
import { createTollgate, slidingWindow } from '@tollgate/core';
import { createUpstream, openai } from '@tollgate/upstream';
import { catalogPrices } from '@tollgate/upstream/prices';

const ANSWER = {
  model: 'gpt-5-mini',
  choices: [{ message: { role: 'assistant', content: 'hello' } }],
  usage: { prompt_tokens: 20, completion_tokens: 980 },
};

export async function run(): Promise<number[]> {
  const gate = createTollgate({
    limits: [slidingWindow({ name: 'tokens', by: 'user', unit: 'tokens', limit: 1000, window: '1m' })],
    prices: catalogPrices(),
  });
  const llm = createUpstream({
    gate,
    providers: [
      openai({
        keys: [
          { name: 'one', secret: () => 'sk-1' },
          { name: 'two', secret: () => 'sk-2' },
        ],
      }),
    ],
    fetch: async () => new Response(JSON.stringify(ANSWER), { headers: { 'content-type': 'application/json' } }),
  });
  const { fetch } = llm.as({ subject: { user: 'ada' } });
  const body = { model: 'gpt-5-mini', messages: [{ role: 'user', content: 'hi' }], max_completion_tokens: 900 };
  const call = async () => {
    const response = await fetch('https://api.openai.com/v1/chat/completions', {
      method: 'POST',
      body: JSON.stringify(body),
    });
    await response.text();
    return response.status;
  };
  const statuses = [await call(), await call()];
  await llm.close();
  return statuses;
}

// @ts-expect-error a key without a secret
export const wrong = () => openai({ keys: [{ name: 'one' }] });
