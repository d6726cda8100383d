/**
 * Estimates how many tokens a text is while it passes, where nobody tells. A tokenizer of any model costs a hundred times as
 * much, and the reader of a stream has a few microseconds for each event.
 *
 * Tokenizers cut a text into runs of one kind of character, and long runs again. So each character is weighed by its kind,
 * and by the one before it or by how long their run is by now. The weights were fitted to GPT-4o's tokenizer: of English,
 * code and JSON, nine in ten texts of 300 tokens come out from 6 % below to 11 % above. Other languages come out less
 * exactly, and tokenizers that cut finer (Claude's, older ones) make more tokens of the same text, as much as a third.
 */
export interface TokenCounter {
  add(text: string): void;
  /** A whole number, from 0. */
  readonly tokens: number;
}

// Kinds of characters.
const [LOWER, UPPER, DIGIT, MARK, SPACE, LINE] = [0, 1, 2, 3, 4, 5] as const;
type Kind = typeof LOWER | typeof UPPER | typeof DIGIT | typeof MARK | typeof SPACE | typeof LINE;

const KINDS = new Uint8Array(128).fill(MARK);
KINDS.fill(DIGIT, 0x30, 0x3a).fill(UPPER, 0x41, 0x5b).fill(LOWER, 0x61, 0x7b);
KINDS[0x20] = KINDS[0x09] = SPACE;
KINDS[0x0a] = KINDS[0x0d] = LINE;

/** Hundredths of a token for the first character of a run, by the kind before it; six to a row. */
const BEGINS = Uint8Array.from(
  [
    //            lower upper digit mark space line
    /* lower */ [0, 40, 80, 70, 15, 70],
    /* upper */ [50, 0, 130, 50, 0, 10],
    /* digit */ [130, 130, 0, 130, 15, 70],
    /* mark  */ [95, 50, 65, 0, 15, 0],
    /* space */ [85, 35, 130, 100, 0, 20],
    /* line  */ [55, 60, 130, 115, 0, 0],
  ].flat(),
);

/** Longer runs grow as those of this length do. */
const LONGEST_RUN = 10;

/** Hundredths of a token for each further character of a run, by its place there; eleven to a row. */
const GOES_ON = Uint8Array.from(
  [
    //           1   2   3   4   5   6   7   8   9  10
    /* lower */ [0, 0, 0, 0, 5, 5, 5, 10, 10, 10, 25],
    /* upper */ [0, 60, 15, 15, 15, 15, 15, 15, 15, 15, 15],
    /* digit */ [0, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25],
    /* mark  */ [0, 30, 10, 10, 10, 10, 10, 10, 10, 10, 10],
    /* space */ [0, 95, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    /* line  */ [0, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15],
  ].flat(),
);

/** Hundredths of a token for a character beyond ASCII, by the high byte of its UTF-16 unit. */
const PAGES = new Uint16Array(256).fill(150);
for (const [first, last, weight] of [
  [0x00, 0x02, 110], // Latin with accents: words of such languages are cut more often
  [0x03, 0x0f, 36], // Greek, Cyrillic, Hebrew, Arabic, scripts of India, Thai
  [0x1e, 0x1e, 25], // Vietnamese
  [0x20, 0x20, 80], // dashes, quotes, joiners
  [0x30, 0x9f, 82], // kana, Chinese
  [0xac, 0xd7, 72], // Korean
  [0xd8, 0xdf, 90], // halves of what takes two: emoji, rarer scripts
] as const) {
  PAGES.fill(weight, first, last + 1);
}

export function tokenCounter(): TokenCounter {
  let hundredths = 0;
  let kind: Kind = LINE;
  let place = 0;
  return {
    add(text) {
      for (let i = 0; i < text.length; i++) {
        const unit = text.charCodeAt(i);
        const next = unit < 128 ? (KINDS[unit] as Kind) : LOWER;
        // A capital begins a word, and several are a word that goes on in small letters as it is.
        const goesOn = next === kind || (next === LOWER && kind === UPPER && place > 0);
        place = goesOn ? Math.min(place + 1, LONGEST_RUN) : 0;
        if (unit >= 128) hundredths += PAGES[unit >> 8];
        else hundredths += goesOn ? GOES_ON[next * 11 + place] : BEGINS[kind * 6 + next];
        kind = next;
      }
    },
    get tokens() {
      return Math.round(hundredths / 100);
    },
  };
}
