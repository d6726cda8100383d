import { MOST_PER_CHARACTER, tokensOf } from './text.js';

/**
 * What a request body tells of the tokens that a model will read and write, whichever API it is meant for: OpenAI chat
 * completions, responses and embeddings, Anthropic messages, Gemini, or a shape of the app's own. Every text in it
 * counts, wherever it stands, so that no spelling of a prompt gets past. How characters are weighed is in `text.ts`.
 */
export interface BodyEstimate {
  /** A whole number from 0 to {@link MAX_TOKENS}; 0 for a body without text. */
  readonly inputTokens: number;
  /** The most that the body allows the answer, a whole number from 0 to {@link MAX_TOKENS}; `undefined` where it sets no bound. */
  readonly maxOutputTokens: number | undefined;
  /** How many answers it asks for (OpenAI's `n`), from 1 to {@link MAX_CHOICES}. */
  readonly choices: number;
}

/** Characters that are weighed one by one; each further one counts {@link MOST_PER_CHARACTER}. */
export const MAX_CHARACTERS = 2 ** 20;
/** Members and elements that are looked at; a body with more counts {@link MAX_TOKENS}. */
export const MAX_VALUES = 100_000;
/** The greatest estimate: more than any model reads or writes, and little enough to be priced exactly. */
export const MAX_TOKENS = 2 ** 30;
/** The most that a picture costs on Claude, at high resolution. Files that are only referred to count the same. */
export const PICTURE_TOKENS = 4784;
/** The most that Claude's own instructions cost where a request has tools (Opus 4.7). */
export const TOOLS_TOKENS = 804;
/** The most answers that a provider gives to one request (OpenAI's `n`). */
export const MAX_CHOICES = 128;

/** Media by the start of their type. A character of base64 in 50 is enough for sound of 16 kbit/s and film of 250. */
const MEDIA = [
  { type: 'image/', least: PICTURE_TOKENS, perCharacter: 0 },
  { type: 'application/pdf', least: PICTURE_TOKENS, perCharacter: 1 / 2 },
  ...['audio/', 'video/', 'wav', 'mp3'].map((type) => ({ type, least: 0, perCharacter: 1 / 50 })),
];
const MEDIA_TYPE_NAMES = ['media_type', 'mediaType', 'mime_type', 'mimeType', 'format'];
/** Members that models read as text: what begins like a picture there is none. */
const TEXT_NAMES = new Set(['text', 'content', 'input', 'output', 'prompt', 'message', 'system', 'instructions']);
const REFERENCE_NAMES = new Set(['image_url', 'file_url', 'file_id', 'fileUri', 'file_uri']);

const MAX_TOKENS_NAMES = new Set([
  ...['max_tokens', 'max_completion_tokens', 'max_output_tokens', 'max_new_tokens', 'max_tokens_to_sample'],
  ...['maxTokens', 'maxCompletionTokens', 'maxOutputTokens', 'maxNewTokens', 'maxTokensToSample', 'num_predict'],
]);
/** Members of the body in which providers read such as these, too. */
const OPTIONS_NAMES = new Set([
  ...['generationConfig', 'generation_config', 'inferenceConfig', 'textGenerationConfig'],
  ...['options', 'parameters', 'config'],
]);
const CHOICES_NAMES = new Set(['n', 'best_of', 'candidateCount', 'candidate_count']);

/** An object or list that is being walked. */
interface Frame {
  readonly object: object;
  /** `undefined` for a list. */
  readonly keys: readonly string[] | undefined;
  readonly length: number;
  /** The member that holds it. */
  readonly name: string;
  next: number;
}

interface Tally {
  /** Tokens of text and media. */
  content: number;
  /** Tokens of the members' names: what roles, tools and the provider's own wrapping cost, where there is content. */
  framing: number;
  charactersLeft: number;
  maxOutput: number | undefined;
  choices: number;
}

/**
 * Estimates a body, parsed or raw: a string, and the bytes of a Buffer, count as text. Declared maxima of the answer
 * are found in the body and where providers have them in it; the largest holds, times the number of answers asked for. One of
 * none bounds nothing. (A thinking budget is part of them.) A number in a list is a token: prompts may be given so.
 *
 * Never throws, runs nothing of the body's but getters, and does a bounded amount of work once the members of an object
 * are listed. What holds itself counts once, a stream nothing.
 */
export function estimateOf(body: unknown): BodyEstimate {
  const known = ESTIMATED.get(body as object);
  if (known !== undefined) return known;
  const tally: Tally = { content: 0, framing: 0, charactersLeft: MAX_CHARACTERS, maxOutput: undefined, choices: 1 };
  if (typeof body === 'string') tally.content += weigh(tally, body);
  else if (ArrayBuffer.isView(body)) addBytes(tally, body);
  else addMembers(tally, body);
  return {
    inputTokens: wholeTokens(tally.content > 0 ? tally.content + tally.framing : 0),
    maxOutputTokens: tally.maxOutput === undefined ? undefined : wholeTokens(tally.maxOutput * tally.choices),
    choices: tally.choices,
  };
}

/** What is known to say no other. Told apart without asking anything of the body: a proxy may throw whatever it is asked. */
const ESTIMATED = new WeakMap<object, BodyEstimate>();

/** A body of which no more is kept than what it says: {@link estimateOf} gives that back. */
export function estimatedBody(estimate: BodyEstimate): object {
  const body = {};
  ESTIMATED.set(body, estimate);
  return body;
}

/**
 * Weighs a body that nobody will change: gates take what it says from here from now on, however often it is handed to them, as
 * the body of a call is with each of its attempts.
 */
export function weighOnce(body: object): void {
  ESTIMATED.set(body, estimateOf(body));
}

/** Tokens of a text, and its characters taken from those that are left to look at. */
function weigh(tally: Tally, text: string): number {
  const close = Math.min(text.length, tally.charactersLeft);
  tally.charactersLeft -= close;
  return tokensOf(text, close) + (text.length - close) * MOST_PER_CHARACTER;
}

/** Depth-first with a stack of its own, so that depth costs no more than breadth. */
function addMembers(tally: Tally, body: unknown): void {
  const frames: Frame[] = [];
  const open = new Set<object>();
  enter(frames, open, body, '');
  for (let visited = 0; frames.length > 0; ) {
    const frame = frames[frames.length - 1] as Frame;
    if (!(frame.next < frame.length)) {
      frames.pop();
      open.delete(frame.object);
      continue;
    }
    if (++visited > MAX_VALUES) {
      tally.content = MAX_TOKENS;
      return;
    }
    const index = frame.next++;
    const key = frame.keys?.[index];
    const value = read(frame.object, key ?? index);
    if (key !== undefined) tally.framing += weigh(tally, key) + 1;
    if (typeof value === 'string') addString(tally, frame, key, value);
    else if (typeof value === 'number') addNumber(tally, key, value, isOption(frame, frames.length));
    else if (ArrayBuffer.isView(value)) tally.content += PICTURE_TOKENS;
    else if (enter(frames, open, value, key ?? frame.name) && key === 'tools' && frames.length === 2) {
      tally.framing += TOOLS_TOKENS;
    }
  }
}

/** True if it is something to walk that isn't being walked already. */
function enter(frames: Frame[], open: Set<object>, value: unknown, name: string): boolean {
  if (typeof value !== 'object' || value === null || open.has(value)) return false;
  try {
    const keys = Array.isArray(value) ? undefined : Object.keys(value);
    const length = (keys ?? (value as unknown[])).length;
    if (length === 0 || isStream(value)) return false;
    frames.push({ object: value, keys, length, name, next: 0 });
  } catch {
    return false; // A proxy can throw whatever it is asked.
  }
  open.add(value);
  return true;
}

function isStream(value: object): boolean {
  return typeof read(value, 'pipe') === 'function' || typeof read(value, 'getReader') === 'function';
}

function read(object: object, key: string | number): unknown {
  try {
    return (object as Record<string | number, unknown>)[key];
  } catch {
    return undefined;
  }
}

/** What stands here may say how the model is to answer; anywhere else nobody reads it so, and clients may put anything there. */
function isOption({ name }: Frame, depth: number): boolean {
  return depth === 1 || (depth === 2 && OPTIONS_NAMES.has(name));
}

function addNumber(tally: Tally, key: string | undefined, value: number, isOption: boolean): void {
  if (key === undefined) tally.content++;
  else if (!isOption || !Number.isFinite(value)) return;
  else if (MAX_TOKENS_NAMES.has(key)) {
    if (value > 0) tally.maxOutput = Math.max(tally.maxOutput ?? 0, value);
  } else if (CHOICES_NAMES.has(key)) {
    tally.choices = Math.max(tally.choices, Math.min(Math.ceil(value), MAX_CHOICES));
  }
}

function addString(tally: Tally, frame: Frame, key: string | undefined, value: string): void {
  const isDataUrl = value.startsWith('data:') && !TEXT_NAMES.has(key ?? frame.name);
  const type = isDataUrl ? value.slice(5, 55) : key === 'data' ? mediaTypeOf(frame) : undefined;
  const media = type && MEDIA.find((media) => type.startsWith(media.type));
  if (media) {
    tally.content += Math.max(media.least, value.length * media.perCharacter);
    return;
  }
  if (key !== undefined && isReference(frame, key)) tally.content += PICTURE_TOKENS;
  tally.content += weigh(tally, value);
}

function isReference(frame: Frame, key: string): boolean {
  if (key !== 'url') return REFERENCE_NAMES.has(key);
  return frame.name === 'image_url' || frame.name === 'source' || mediaTypeOf(frame) !== undefined;
}

function mediaTypeOf({ object }: Frame): string | undefined {
  return MEDIA_TYPE_NAMES.map((name) => read(object, name)).find((type) => typeof type === 'string');
}

function addBytes(tally: Tally, bytes: ArrayBufferView): void {
  try {
    const close = Math.min(bytes.byteLength, MAX_CHARACTERS);
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, close).toString();
    tally.content += weigh(tally, text) + bytes.byteLength - close;
  } catch {
    // Its buffer was given away: there is nothing in it.
  }
}

function wholeTokens(tokens: number): number {
  return Math.min(Math.ceil(tokens), MAX_TOKENS);
}
