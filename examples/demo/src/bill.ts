/**
 * The provider's bill: its own price list and its own arithmetic, which share nothing with Tollgate's. A call costs what its
 * tokens do, rounded up to a whole nano-dollar.
 */

/** Tokens, as the provider names them. */
export interface ProviderUsage {
  prompt_tokens: number;
  completion_tokens: number;
}

/** Whom a call was for, as the app says in it: to the provider these are labels. */
export interface Account {
  readonly user: string;
  readonly feature: string;
}

export interface Bill {
  /** @throws Error for a model that the provider does not have */
  add(account: Account, model: string, usage: ProviderUsage): void;
  /** Nano-dollars of one user, one feature, or, without either, of the whole company. */
  total(of: Partial<Account>): bigint;
}

/** Thousandths of a nano-dollar for a token: 1 of them is $1 for a trillion tokens. */
const PRICE_LIST = new Map([
  ['sage-large', { prompt: 15_000_000n, completion: 75_000_000n }],
  ['sage-medium', { prompt: 3_000_000n, completion: 15_000_000n }],
  ['sage-small', { prompt: 812_500n, completion: 4_062_500n }],
  ['sage-embed', { prompt: 20_500n, completion: 0n }],
]);

export function openBill(): Bill {
  const lines: { readonly account: Account; amount: bigint }[] = [];

  function lineOf({ user, feature }: Account) {
    const found = lines.find(({ account }) => account.user === user && account.feature === feature);
    if (found) return found;
    const line = { account: { user, feature }, amount: 0n };
    lines.push(line);
    return line;
  }

  return {
    add(account, model, usage) {
      lineOf(account).amount += priceOf(model, usage);
    },
    total({ user, feature }) {
      return lines
        .filter(({ account }) => (user ?? account.user) === account.user)
        .filter(({ account }) => (feature ?? account.feature) === account.feature)
        .reduce((sum, { amount }) => sum + amount, 0n);
    },
  };
}

function priceOf(model: string, { prompt_tokens, completion_tokens }: ProviderUsage): bigint {
  const price = PRICE_LIST.get(model);
  if (!price) throw new Error(`model: got '${model}'; expected one of ${[...PRICE_LIST.keys()].join(', ')}.`);
  const thousandths = price.prompt * BigInt(prompt_tokens) + price.completion * BigInt(completion_tokens);
  return (thousandths + 999n) / 1000n;
}
