/**
 * Reads a List of Strings with parameters, as RFC 9651 §4.2.1 has it and no more: anything else throws. Of bare items it
 * knows Strings and Integers, which is all that RateLimit fields are made of.
 */
export interface Item {
  readonly value: string;
  readonly params: Readonly<Record<string, string | number>>;
}

export function parseList(field: string): Item[] {
  let rest = field.replace(/^ +| +$/g, '');
  const items: Item[] = [];

  function take(pattern: RegExp, expected: string): string {
    const match = pattern.exec(rest);
    if (!match) throw new SyntaxError(`expected ${expected} at '${rest}' in '${field}'`);
    rest = rest.slice(match[0].length);
    return match[0];
  }

  function bareItem(): string | number {
    if (rest.startsWith('"')) {
      const quoted = take(/^"(?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"/, 'a String');
      return quoted.slice(1, -1).replace(/\\(["\\])/g, '$1');
    }
    const digits = take(/^-?\d{1,15}(?![\d.])/, 'an Integer of at most 15 digits');
    return Number(digits);
  }

  while (true) {
    if (!rest.startsWith('"')) throw new SyntaxError(`expected a String at '${rest}' in '${field}'`);
    const value = bareItem() as string;
    const params: Record<string, string | number> = {};
    while (rest.startsWith(';')) {
      take(/^; */, 'a parameter');
      const key = take(/^[a-z*][a-z0-9_\-.*]*/, "a parameter's key");
      take(/^=/, '=');
      params[key] = bareItem();
    }
    items.push({ value, params });
    if (rest === '') return items;
    take(/^[ \t]*,[ \t]*(?=[^ \t])/, 'a comma and another member');
  }
}
