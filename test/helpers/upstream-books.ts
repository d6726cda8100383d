/** A gate that keeps books of what a fake provider bills, and what both come to. */
import { budget, createTollgate, type Tollgate, type TollgateConfig } from '@tollgate/core';
import { runWithAdmission } from '@tollgate/core/context';

/** What the fake asks for its models. */
export const PRICES = {
  'gpt-5': { input: '$1.25/M', cachedInput: '$0.125/M', output: '$10/M' },
  'gpt-5-mini': { input: '$0.25/M', cachedInput: '$0.025/M', output: '$2/M' },
  'text-embedding-3-small': { input: '$0.02/M', output: '$0/M' },
  'claude-haiku-4-5': { input: '$1/M', cachedInput: '$0.1/M', cacheWrite: '$1.25/M', output: '$5/M' },
  'gemini-2.5-flash': { input: '$0.3/M', cachedInput: '$0.03/M', output: '$2.5/M' },
} as const;

export interface Books {
  readonly gate: Tollgate;
  /** Runs what makes calls under an admission of a user, which ends with it. */
  admitted<T>(user: string, work: () => Promise<T>): Promise<T>;
  /** Nano-dollars. */
  spent(user: string): Promise<bigint>;
}

export function openBooks(more: TollgateConfig = {}): Books {
  const gate = createTollgate<string, string, string, string, string>({
    name: 'books',
    budgets: [budget({ name: 'user', by: 'user', limit: '$1000', per: 'month' })],
    prices: PRICES,
    ...more,
  }) as Tollgate;
  return {
    gate,
    async admitted(user, work) {
      const decision = await gate.admit({ subject: { user }, permits: 1, usd: '$0' });
      if (!decision.admitted) throw new Error(`refused: ${decision.refusal.detail}`);
      try {
        return await runWithAdmission(decision.admission, work);
      } finally {
        await decision.admission.conclude();
      }
    },
    async spent(user) {
      const { budgets } = await gate.inspect({ user });
      return BigInt(budgets[0]?.used ?? 0);
    },
  };
}
