/** Hosts that speak a format of their own, and OpenAI's as well at its paths. */
import type { Call, WireFormat } from './format.js';
import { openaiFormat } from './openai.js';

const OPENAI = new Set(['chat', 'completions', 'responses', 'embeddings']);

/** Refusals are in the format's own shape. */
export function orOpenai(own: WireFormat): WireFormat {
  const at = (path: string, body: unknown) => (own.read(path, body) === undefined ? openaiFormat : own);
  const of = ({ operation }: Call) => (OPENAI.has(operation) ? openaiFormat : own);
  return {
    ...own,
    read: (path, body) => at(path, body).read(path, body),
    withModel: (path, body, model) => at(path, body).withModel(path, body, model),
    askingForUsage: (call, body) => of(call).askingForUsage(call, body),
    usage: (call, answer) => of(call).usage(call, answer),
    reader: (call, asked) => of(call).reader(call, asked),
  };
}
