/** Finds the events of a stream in its bytes as they pass (server-sent events), and takes out those that are not to pass. */
import { isAscii } from 'node:buffer';
import { StringDecoder } from 'node:string_decoder';
import { join, NOTHING, type Passage } from './passage.js';

/** Bytes of an event that are kept, to be read or held back. What is longer passes, unread from there on. */
export const MAX_EVENT_BYTES = 2 ** 22;

const DATA = 'data:';

/** Makes a character of each byte, so that bytes can be made of them again. To find something is quicker in text than in bytes. */
const decoder = new StringDecoder('latin1');

/**
 * @param onEvent is given the data of each event. Where it returns false, the event doesn't pass
 * @param mayDrop an event that was cut is held back until all of it is there. Otherwise no byte is, and all events pass
 */
export function eventPassage(onEvent: (data: string) => boolean, mayDrop: boolean): Pick<Passage, 'push' | 'end'> {
  /** The start of a line that was cut, and the event at hand as far as it is held back. */
  let line = '';
  let held = '';
  /** Of the event at hand, which has begun where it isn't `undefined`. */
  let data: string | undefined;
  let isDataAscii = true;
  /** The event at hand is too long to be held back: what of it comes now passes. */
  let isLetGo = false;
  /** The last byte was a CR, which an LF may belong to, and what it has ended. */
  let isAfterCr = false;
  let ended: 'line' | 'event' | 'dropped event' = 'event';

  function addLine(end: string): void {
    const whole = line === '' ? end : line + end;
    line = '';
    if (!whole.startsWith(DATA) || whole.length > MAX_EVENT_BYTES || (data?.length ?? 0) > MAX_EVENT_BYTES) return;
    const text = whole.slice(whole[DATA.length] === ' ' ? DATA.length + 1 : DATA.length);
    data = data === undefined ? text : `${data}\n${text}`;
  }

  /** The event at hand is whole. Returns whether it passes. */
  function endEvent(): boolean {
    const passes = data === undefined || onEvent(isDataAscii ? data : bytesOf(data).toString()) || !mayDrop || isLetGo;
    data = undefined;
    isLetGo = false;
    return passes;
  }

  return {
    push(chunk) {
      const text = decoder.write(chunk);
      const isChunkAscii = isAscii(chunk);
      isDataAscii &&= isChunkAscii;
      const passing: Uint8Array[] = [];
      const rest = isAfterCr && text[0] === '\n' ? 1 : 0;
      /** Where the bytes begin that were neither passed nor dropped, where the event at hand does, and its line. */
      let from = ended === 'dropped event' ? rest : 0;
      let event = ended === 'line' ? 0 : rest;
      let at = rest;
      let cr = text.indexOf('\r');
      if (text.length > 0) isAfterCr = false;
      for (;;) {
        if (cr !== -1 && cr < at) cr = text.indexOf('\r', at);
        const lf = text.indexOf('\n', at);
        const end = cr === -1 || (lf !== -1 && lf < cr) ? lf : cr;
        if (end === -1) break;
        const isBlank = end === at && line === '';
        if (!isBlank) addLine(text.slice(at, end));
        isAfterCr = end === cr && end === text.length - 1;
        at = end + (end === cr && text[end + 1] === '\n' ? 2 : 1);
        ended = isBlank ? (endEvent() ? 'event' : 'dropped event') : 'line';
        if (!isBlank) continue;
        isDataAscii = isChunkAscii;
        if (ended === 'dropped event') {
          passing.push(part(chunk, from, event));
          from = at;
        } else if (held !== '') passing.push(bytesOf(held));
        held = '';
        event = at;
      }
      // One character more than may be kept is enough to tell.
      if (at < text.length) line = (line + text.slice(at)).slice(0, MAX_EVENT_BYTES + 1);
      if (!mayDrop) return chunk;
      if (!isLetGo && event < text.length) {
        isLetGo = held.length + text.length - event > MAX_EVENT_BYTES;
        if (!isLetGo) held += text.slice(event);
        else if (held !== '') {
          passing.push(bytesOf(held));
          held = '';
        }
      }
      const last = part(chunk, from, isLetGo ? text.length : event);
      return passing.length === 0 ? last : join([...passing, last]);
    },
    end() {
      if (line !== '') addLine('');
      const rest = endEvent() ? bytesOf(held) : NOTHING;
      held = '';
      return rest;
    },
  };
}

/** The chunk itself where that is all of it. */
function part(chunk: Uint8Array, from: number, to: number): Uint8Array {
  return from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to);
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}
