/** Finds the events of a stream in its bytes as they pass (server-sent events), and takes out those that are not to pass. */
import { join, NOTHING, type Passage } from './passage.js';

/** Bytes of an event that are kept, to be read or held back. What is longer passes, unread from there on. */
export const MAX_EVENT_BYTES = 2 ** 22;

const [LF, CR, SPACE] = [0x0a, 0x0d, 0x20] as const;
const DATA = Buffer.from('data:');

const decoder = new TextDecoder();

/** Bytes of what was cut, up to a bound. */
interface Cut {
  pieces: Uint8Array[];
  length: number;
}

/**
 * @param onEvent is given the data of each event. Where it returns false, the event doesn't pass
 * @param mayDrop an event that was cut is held back until all of it is there. Otherwise no byte is, and all events pass
 */
export function eventPassage(onEvent: (data: string) => boolean, mayDrop: boolean): Pick<Passage, 'push' | 'end'> {
  const line: Cut = { pieces: [], length: 0 };
  const held: Cut = { pieces: [], length: 0 };
  /** Of the event at hand, which has begun where it isn't `undefined`. */
  let data: string | undefined;
  /** The event at hand is too long to be held back: what of it comes now passes. */
  let isLetGo = false;
  /** The last byte was a CR, which an LF may belong to, and what it has ended. */
  let isAfterCr = false;
  let ended: 'line' | 'event' | 'dropped event' = 'event';

  function addLine(bytes: Uint8Array): void {
    const isTooLong = line.length > MAX_EVENT_BYTES;
    const whole = line.length === 0 ? bytes : join([...line.pieces, bytes]);
    clear(line);
    if (isTooLong || !isData(whole) || (data?.length ?? 0) > MAX_EVENT_BYTES) return;
    const start = whole[DATA.length] === SPACE ? DATA.length + 1 : DATA.length;
    const text = decoder.decode(whole.subarray(start));
    data = data === undefined ? text : `${data}\n${text}`;
  }

  /** The event at hand is whole. Returns whether it passes. */
  function endEvent(): boolean {
    const passes = data === undefined || onEvent(data) || !mayDrop || isLetGo;
    data = undefined;
    isLetGo = false;
    return passes;
  }

  return {
    push(chunk) {
      const passing: Uint8Array[] = [];
      const rest = isAfterCr && chunk[0] === LF ? 1 : 0;
      /** Where the bytes begin that were neither passed nor dropped, where the event at hand does, and its line. */
      let from = ended === 'dropped event' ? rest : 0;
      let event = ended === 'line' ? 0 : rest;
      let at = rest;
      let cr = chunk.indexOf(CR);
      if (chunk.length > 0) isAfterCr = false;
      for (;;) {
        if (cr !== -1 && cr < at) cr = chunk.indexOf(CR, at);
        const lf = chunk.indexOf(LF, at);
        const end = cr === -1 || (lf !== -1 && lf < cr) ? lf : cr;
        if (end === -1) break;
        const isBlank = end === at && line.length === 0;
        if (!isBlank) addLine(chunk.subarray(at, end));
        isAfterCr = end === cr && end === chunk.length - 1;
        at = end + (end === cr && chunk[end + 1] === LF ? 2 : 1);
        ended = isBlank ? (endEvent() ? 'event' : 'dropped event') : 'line';
        if (!isBlank) continue;
        if (ended === 'dropped event') {
          passing.push(chunk.subarray(from, event));
          from = at;
        } else if (held.length > 0) passing.push(...held.pieces);
        clear(held);
        event = at;
      }
      add(line, chunk.subarray(at));
      if (!mayDrop) return chunk;
      if (!isLetGo && event < chunk.length) {
        isLetGo = held.length + chunk.length - event > MAX_EVENT_BYTES;
        if (!isLetGo) add(held, chunk.subarray(event));
        else if (held.length > 0) {
          passing.push(...held.pieces);
          clear(held);
        }
      }
      passing.push(chunk.subarray(from, isLetGo ? chunk.length : event));
      return asOne(
        passing.filter((piece) => piece.length > 0),
        chunk,
      );
    },
    end() {
      if (line.length > 0) addLine(NOTHING);
      const rest = endEvent() ? join(held.pieces) : NOTHING;
      clear(held);
      return rest;
    },
  };
}

/** The chunk itself where that is all. */
function asOne(pieces: readonly Uint8Array[], chunk: Uint8Array): Uint8Array {
  if (pieces.length > 1) return join(pieces);
  return pieces[0]?.length === chunk.length ? chunk : (pieces[0] ?? NOTHING);
}

function isData(line: Uint8Array): boolean {
  for (let i = 0; i < DATA.length; i++) if (line[i] !== DATA[i]) return false;
  return true;
}

/** Adds a copy, for who is given the bytes may do with them what it likes. */
function add(cut: Cut, bytes: Uint8Array): void {
  if (bytes.length === 0) return;
  cut.length += bytes.length;
  if (cut.length > MAX_EVENT_BYTES) cut.pieces = [];
  else cut.pieces.push(bytes.slice());
}

function clear(cut: Cut): void {
  cut.pieces = [];
  cut.length = 0;
}
