/** The SDKs behind one face: ask, listen, have a tool called. Each speaks to a fake provider by whatever fetch it is given. */

import { createOpenAI } from '@ai-sdk/openai';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import type { ProviderOptions } from '@tollgate/fake-provider';
import { anthropic, gemini, openai } from '@tollgate/upstream';
import { generateText, jsonSchema, streamText, type ToolSet } from 'ai';
import OpenAI from 'openai';

export interface Ask {
  readonly prompt: string;
  readonly maxTokens: number;
  /** The name of a tool that may be called. */
  readonly tool?: string | undefined;
}

export interface SdkClient {
  /** Resolves with the text, or with the arguments of the tool that was called, as JSON. */
  ask(ask: Ask): Promise<string>;
  /** Yields the text, or the arguments, as they come. Whoever stops iterating leaves. */
  listen(ask: Ask): AsyncIterable<string>;
}

export interface Sdk {
  readonly name: string;
  readonly kind: ProviderOptions['kind'];
  readonly model: string;
  readonly provider: typeof openai;
  /** Below the fake's own address. */
  readonly base: string;
  /** How often it asks in all where each answer is a 500. */
  readonly tries: number;
  connect(baseUrl: string, fetch: typeof globalThis.fetch): SdkClient;
}

/** What the SDKs are given for a key: it opens nothing. */
export const PLACEHOLDER = 'managed';

const SCHEMA = { type: 'object' as const, properties: {} };

export const SDKS: readonly Sdk[] = [
  {
    name: 'openai, chat',
    kind: 'openai',
    model: 'gpt-5-mini',
    provider: openai,
    base: '/v1',
    tries: 3,
    connect(baseURL, fetch) {
      const { completions } = new OpenAI({ apiKey: PLACEHOLDER, baseURL, fetch }).chat;
      const body = ({ prompt, maxTokens, tool }: Ask) => ({
        model: 'gpt-5-mini',
        max_completion_tokens: maxTokens,
        messages: [{ role: 'user' as const, content: prompt }],
        ...(tool !== undefined && {
          tools: [{ type: 'function' as const, function: { name: tool, parameters: SCHEMA } }],
        }),
      });
      return {
        async ask(ask) {
          const { message } = (await completions.create(body(ask))).choices[0] ?? {};
          const [call] = message?.tool_calls ?? [];
          return (call?.type === 'function' ? call.function.arguments : message?.content) ?? '';
        },
        async *listen(ask) {
          for await (const { choices } of await completions.create({ ...body(ask), stream: true })) {
            const { content, tool_calls } = choices[0]?.delta ?? {};
            yield tool_calls?.[0]?.function?.arguments ?? content ?? '';
          }
        },
      };
    },
  },
  {
    name: 'openai, responses',
    kind: 'openai',
    model: 'gpt-5-mini',
    provider: openai,
    base: '/v1',
    tries: 3,
    connect(baseURL, fetch) {
      const { responses } = new OpenAI({ apiKey: PLACEHOLDER, baseURL, fetch });
      const body = ({ prompt, maxTokens, tool }: Ask) => ({
        model: 'gpt-5-mini',
        max_output_tokens: maxTokens,
        input: prompt,
        ...(tool !== undefined && {
          tools: [{ type: 'function' as const, name: tool, parameters: SCHEMA, strict: false }],
        }),
      });
      return {
        async ask(ask) {
          const { output, output_text } = await responses.create(body(ask));
          return output.find((item) => item.type === 'function_call')?.arguments ?? output_text;
        },
        async *listen(ask) {
          for await (const event of await responses.create({ ...body(ask), stream: true })) {
            const isText = event.type === 'response.output_text.delta';
            if (isText || event.type === 'response.function_call_arguments.delta') yield event.delta;
          }
        },
      };
    },
  },
  {
    name: '@anthropic-ai/sdk',
    kind: 'anthropic',
    model: 'claude-haiku-4-5',
    provider: anthropic,
    base: '',
    tries: 3,
    connect(baseURL, fetch) {
      const { messages } = new Anthropic({ apiKey: PLACEHOLDER, baseURL, fetch });
      const body = ({ prompt, maxTokens, tool }: Ask) => ({
        model: 'claude-haiku-4-5',
        max_tokens: maxTokens,
        messages: [{ role: 'user' as const, content: prompt }],
        ...(tool !== undefined && { tools: [{ name: tool, input_schema: SCHEMA }] }),
      });
      return {
        async ask(ask) {
          const { content } = await messages.create(body(ask));
          return content
            .map((block) => {
              if (block.type === 'tool_use') return JSON.stringify(block.input);
              return block.type === 'text' ? block.text : '';
            })
            .join('');
        },
        async *listen(ask) {
          for await (const event of await messages.create({ ...body(ask), stream: true })) {
            if (event.type !== 'content_block_delta') continue;
            if (event.delta.type === 'text_delta') yield event.delta.text;
            if (event.delta.type === 'input_json_delta') yield event.delta.partial_json;
          }
        },
      };
    },
  },
  {
    name: '@google/genai',
    kind: 'gemini',
    model: 'gemini-2.5-flash',
    provider: gemini,
    base: '',
    tries: 1,
    connect(baseUrl, fetch) {
      const { models } = new GoogleGenAI({
        apiKey: PLACEHOLDER,
        apiVersion: 'v1beta',
        httpOptions: { baseUrl, fetch },
      });
      const body = ({ prompt, maxTokens, tool }: Ask, abortSignal?: AbortSignal) => ({
        model: 'gemini-2.5-flash',
        contents: prompt,
        config: {
          maxOutputTokens: maxTokens,
          ...(abortSignal && { abortSignal }),
          ...(tool !== undefined && { tools: [{ functionDeclarations: [{ name: tool }] }] }),
        },
      });
      return {
        async ask(ask) {
          // Its `text` warns of all that is none.
          const answer = await models.generateContent(body(ask));
          return answer.functionCalls ? JSON.stringify(answer.functionCalls[0]?.args) : (answer.text ?? '');
        },
        async *listen(ask) {
          const leaving = new AbortController();
          try {
            for await (const chunk of await models.generateContentStream(body(ask, leaving.signal))) {
              yield chunk.functionCalls ? JSON.stringify(chunk.functionCalls[0]?.args) : (chunk.text ?? '');
            }
          } finally {
            leaving.abort();
          }
        },
      };
    },
  },
  ...(['chat', 'responses'] as const).map(
    (api): Sdk => ({
      name: `ai, ${api}`,
      kind: 'openai',
      model: 'gpt-5-mini',
      provider: openai,
      base: '/v1',
      tries: 3,
      connect(baseURL, fetch) {
        const model = createOpenAI({ apiKey: PLACEHOLDER, baseURL, fetch })[api]('gpt-5-mini');
        const options = ({ prompt, maxTokens, tool }: Ask) => {
          const tools: ToolSet = tool === undefined ? {} : { [tool]: { inputSchema: jsonSchema(SCHEMA) } };
          return { model, prompt, maxOutputTokens: maxTokens, tools };
        };
        return {
          async ask(ask) {
            const { toolCalls, text } = await generateText(options(ask));
            return toolCalls.length > 0 ? JSON.stringify(toolCalls[0]?.input) : text;
          },
          async *listen(ask) {
            const leaving = new AbortController();
            try {
              const { fullStream } = streamText({ ...options(ask), abortSignal: leaving.signal, onError() {} });
              for await (const part of fullStream) {
                if (part.type === 'error') throw part.error;
                if (part.type === 'text-delta') yield part.text;
                if (part.type === 'tool-input-delta') yield part.delta;
              }
            } finally {
              leaving.abort();
            }
          },
        };
      },
    }),
  ),
];
