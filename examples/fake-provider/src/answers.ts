/** What a provider says, and how it counts it. */
import type { Call } from './formats/format.js';

/** An answer, cut into the tokens that it is made of. */
export interface Answer {
  readonly text: readonly string[];
  readonly toolCalls: readonly { readonly name: string; readonly arguments: readonly string[] }[];
  /** Tokens that it thinks before it speaks; none unless given. */
  readonly reasoning?: number | undefined;
  /** Tokens of the prompt that were in the provider's cache, or are now; none unless given. */
  readonly cacheRead?: number | undefined;
  readonly cacheWritten?: number | undefined;
}

/** Some words of each length that tokens have in English, with the space before them. */
const TOKENS = [
  ...[' a', ' toll', ' is', ' paid', ' at', ' the', ' gate', ' before', ' any', 'thing', ' expensive', ' happens', ','],
  ...[' and', ' what', ' was', ' not', ' used', ' comes', ' back', ' to', ' who', 'ever', ' paid', ' it', '.'],
];

/** The most that it says where the client sets no bound. */
const LONGEST = 60;

/** Calls a tool where it may, or else talks: from a fifth of what the client allows to all of it. */
export function anyAnswer({ operation, tools, maxTokens = LONGEST }: Call, random: () => number): Answer {
  if (operation === 'embeddings') return { text: [], toolCalls: [] };
  const [tool] = tools;
  if (tool !== undefined) return toolAnswer(tool, { query: 'what a toll is', limit: Math.ceil(random() * 20) });
  return textAnswer(Math.max(1, Math.round(maxTokens * (0.2 + 0.8 * random()))), random);
}

export function textAnswer(tokens: number, random: () => number = randomBy(tokens)): Answer {
  const token = () => TOKENS[Math.floor(random() * TOKENS.length)] as string;
  return { text: Array.from({ length: tokens }, token), toolCalls: [] };
}

/** A call of one tool, its arguments in tokens of three characters. */
export function toolAnswer(name: string, args: object): Answer {
  return { text: [], toolCalls: [{ name, arguments: JSON.stringify(args).match(/.{1,3}/g) ?? [] }] };
}

/** All tokens of an answer; a tool's name counts four. */
export function outputTokens({ text, toolCalls, reasoning = 0 }: Answer): number {
  return toolCalls.reduce((sum, call) => sum + TOOL_NAME_TOKENS + call.arguments.length, reasoning + text.length);
}

export const TOOL_NAME_TOKENS = 4;

/** A word of up to ten letters is a token, and so are three digits, and each mark. */
const TOKEN = /[A-Za-z]{1,10}|\d{1,3}|[^\sA-Za-z\d]/g;

/** Two tokens more for what stands around each text. */
export function promptTokens(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + 2 + (text.match(TOKEN)?.length ?? 0), 0);
}

/** Every text in a part of a request, wherever it stands there. */
export function textsIn(part: unknown): string[] {
  if (typeof part === 'string') return [part];
  return typeof part === 'object' && part !== null ? Object.values(part).flatMap(textsIn) : [];
}

/** Mulberry32: numbers from 0 up to, not including, 1 that a seed repeats. */
export function randomBy(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
