/** What a call comes to whose usage nobody told, as its answer was left or broke: rather a little more than less. */
import { isRecord } from '@tollgate/core/options';
import type { Usage } from '../formats/format.js';
import { tokenCounter } from '../formats/token-counter.js';

/**
 * Counts that are estimates are raised by a twentieth, and by a token at least: most texts are too low by no more, and of an
 * answer that was left somewhat more was generated than has passed.
 */
const MARGIN = 1.05;
/** Tokens around each message. */
const AROUND = 4;
/** Members of a request that models read. */
const READ = ['messages', 'input', 'prompt', 'instructions', 'system', 'contents', 'systemInstruction'];
/** Members that hold what isn't text. */
const MEDIA = /^(?:image|image_url|input_image|input_audio|audio|video|file|file_data|file_id|inlineData|fileData)$/;

/**
 * @param counted what was told, and the length of what has passed of the answer
 * @param body of the request, as JSON
 */
export function withUnseen(counted: Usage | undefined, body: unknown): Usage {
  const { inputTokens = promptTokens(body), outputTokens } = counted ?? {};
  return {
    ...counted,
    inputTokens,
    outputTokens: outputTokens && Math.ceil(outputTokens * MARGIN),
  };
}

/**
 * What a prompt is, counted as answers are: closer than what calls are admitted by, which is to be enough for any text.
 * `undefined` where not all of it is text.
 */
function promptTokens(body: unknown): number | undefined {
  if (!isRecord(body)) return undefined;
  const counter = tokenCounter();
  let messages = 1;
  const left = [...READ, 'tools'].map((name) => ({ value: body[name], isTool: name === 'tools' }));
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { value, isTool } = next;
    if (typeof value === 'string') counter.add(value);
    else if (typeof value === 'number' && !isTool) return undefined;
    if (typeof value !== 'object' || value === null) continue;
    if ('role' in value) messages++;
    for (const [name, member] of Object.entries(value)) {
      if (MEDIA.test(name) && !isTool) return undefined;
      // Of a tool the names of its parameters are read too.
      if (isTool) counter.add(name);
      left.push({ value: member, isTool });
    }
  }
  return Math.ceil(counter.tokens * MARGIN) + AROUND * messages;
}
