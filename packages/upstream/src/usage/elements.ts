/** Finds the objects in a list of JSON as it passes; of JSON that is an object, that one. */

/** Characters of an object that are kept to be read; a longer one is left out. */
export const MAX_ELEMENT = 2 ** 22;

const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [
  0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d,
] as const;

/** Takes the next part of the text. */
export function elementReader(onElement: (json: string) => void): (text: string) => void {
  let element = '';
  let depth = 0;
  let isString = false;
  let isEscaped = false;
  return (text) => {
    let from = 0;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (isEscaped) isEscaped = false;
      else if (isString) {
        if (unit === BACKSLASH) isEscaped = true;
        else if (unit === QUOTE) isString = false;
      } else if (unit === QUOTE) isString = true;
      else if (unit === OPEN_OBJECT || (unit === OPEN_LIST && depth > 0)) {
        if (depth++ === 0) from = i;
      } else if ((unit === CLOSE_OBJECT || unit === CLOSE_LIST) && depth > 0 && --depth === 0) {
        const whole = element + text.slice(from, i + 1);
        element = '';
        if (whole.length <= MAX_ELEMENT) onElement(whole);
      }
    }
    // One character more than may be kept is enough to tell.
    if (depth > 0) element = (element + text.slice(from)).slice(0, MAX_ELEMENT + 1);
  };
}
