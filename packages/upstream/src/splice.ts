/** JSON that is changed where it is to differ, and else stays as it was written: numbers that no double holds among it. */
import type { Fields } from './formats/values.js';

const MARK = /["{}[\],]/g;

/**
 * The text of an object with other members. Those that are the same stay as they are in it; the others come last.
 *
 * @param text JSON of `before`
 */
export function spliced(text: string, before: Fields, after: Fields): string {
  const isSame = (name: string) => Object.hasOwn(after, name) && after[name] === before[name];
  const kept = membersOf(text).filter((member) => isSame(nameOf(member)));
  const changed = Object.keys(after).filter((name) => !(Object.hasOwn(before, name) && isSame(name)));
  const written = changed.flatMap((name) => {
    const value = JSON.stringify(after[name]);
    return value === undefined ? [] : `${JSON.stringify(name)}:${value}`;
  });
  return `{${[...kept, ...written].join(',')}}`;
}

/** The texts of an object's own members. */
function membersOf(text: string): readonly string[] {
  const members: string[] = [];
  let depth = 0;
  let start = 0;
  MARK.lastIndex = 0;
  for (let mark = MARK.exec(text); mark !== null; mark = MARK.exec(text)) {
    const [sign] = mark;
    const at = mark.index;
    if (sign === '"') MARK.lastIndex = endOfString(text, at);
    else if (sign === '{' || sign === '[') {
      if (++depth === 1) start = at + 1;
    } else if (depth === 1) {
      members.push(text.slice(start, at));
      start = at + 1;
      if (sign !== ',') break;
    } else if (sign !== ',') depth--;
  }
  return members.filter((member) => member.trim() !== '');
}

function nameOf(member: string): string {
  const start = member.indexOf('"');
  return JSON.parse(member.slice(start, endOfString(member, start)));
}

/** Behind the string that begins at a place: its last quote has an even number of backslashes before it. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text[end - 1 - slashes] === '\\') slashes++;
    if (slashes % 2 === 0) return end + 1;
  }
}
