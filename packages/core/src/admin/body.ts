/** Bodies: JSON alone, and no more of it than any operation needs. */
import type { IncomingMessage } from 'node:http';
import { finished } from 'node:stream';
import { type AdminAnswer, problemAnswer } from './answers.js';

/** Bytes. */
const MAX_BODY = 65_536;
const TOO_LARGE = `The body may have ${MAX_BODY} bytes.`;

export type Read = { readonly value: unknown } | { readonly problem: AdminAnswer };

/**
 * A request's body. Where the app has read it already, as the app has parsed it; an empty one is an empty object.
 *
 * A page of another origin can't send such a content type without being asked first, which is not answered: so what an
 * operator's browser would add of cookies is of no use to it.
 */
export async function readBody(raw: IncomingMessage, parsed: unknown): Promise<Read> {
  if (!/^application\/json *(;|$)/i.test(raw.headers['content-type'] ?? '')) {
    return { problem: problemAnswer(415, "The content type has to be 'application/json'.") };
  }
  if (raw.readableDidRead || raw.readableEnded) return { value: parsed ?? {} };
  if ((raw.headers['content-encoding'] ?? 'identity') !== 'identity') {
    return { problem: problemAnswer(415, 'The body has to come as it is, without an encoding.') };
  }
  try {
    const bytes = await bytesOf(raw);
    // What is still to come of it is not waited for.
    if (bytes === undefined) return { problem: problemAnswer(413, TOO_LARGE, { connection: 'close' }) };
    return { value: bytes.length === 0 ? {} : JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) };
  } catch {
    return { problem: problemAnswer(400, 'The body is no JSON.') };
  }
}

/** `undefined` where it is too large. Rejects where the client leaves. */
function bytesOf(raw: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    raw.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_BODY) chunks.push(chunk);
      else resolve(undefined);
    });
    finished(raw, (error) => (error ? reject(error) : resolve(Buffer.concat(chunks))));
  });
}
