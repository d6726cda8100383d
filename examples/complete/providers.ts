/** The providers: two keys of OpenAI's, and two of OpenRouter's where OpenAI has no room or no answer. */
import type { Tollgate } from '@tollgate/core';
import { createUpstream, env, openai, openrouter, type Upstream } from '@tollgate/upstream';
import { OpenAI } from 'openai';

export interface Providers {
  readonly llm: Upstream;
  /** OpenAI's own SDK. It has no key: that is put in as a call is sent. Nor does it try again: `llm` does, elsewhere. */
  readonly sdk: OpenAI;
}

export function createProviders(gate: Tollgate): Providers {
  const { OPENAI_URL = 'https://api.openai.com/v1', OPENROUTER_URL } = process.env;
  const llm = createUpstream({
    gate,
    providers: [
      openai({
        baseUrl: OPENAI_URL,
        keys: [
          { name: 'prod-1', secret: env('OPENAI_KEY_1') },
          { name: 'prod-2', secret: env('OPENAI_KEY_2') },
        ],
      }),
      openrouter({
        baseUrl: OPENROUTER_URL,
        keys: [
          { name: 'spare-1', secret: env('OPENROUTER_KEY_1') },
          { name: 'spare-2', secret: env('OPENROUTER_KEY_2') },
        ],
      }),
    ],
    failover: {
      openai: [{ provider: 'openrouter', models: { 'gpt-5': 'openai/gpt-5', 'gpt-5-mini': 'openai/gpt-5-mini' } }],
    },
    degrade: true,
  });
  return { llm, sdk: new OpenAI({ baseURL: OPENAI_URL, apiKey: 'managed', fetch: llm.fetch, maxRetries: 0 }) };
}
