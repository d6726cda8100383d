/** Operations on gates: how their limits, budgets and lines stand, and changes to them. */
import { z } from 'zod';
import type { TollgateChange } from '../config.js';
import type { Tollgate } from '../gate.js';
import type { Money } from '../money/nano-dollars.js';
import type { Dimension, Whom } from '../request.js';
import { configuredBudget, configuredLimit, configuredOf } from './configured.js';
import type { AdminKeyRing } from './keys.js';
import { type Operation, operation } from './operation.js';
import { budget, layer, limit, line, nothing, text } from './schemas.js';

/** What a surface takes of a gate. */
export type AdminGate = Pick<
  Tollgate,
  'name' | 'limits' | 'budgets' | 'dimensions' | 'tiers' | 'hasLine' | 'inspect' | 'topUp' | 'resetBudget' | 'update'
>;

const gateSummary = z.object({
  name: z.string(),
  limits: z.array(configuredLimit),
  budgets: z.array(configuredBudget),
  dimensions: z.array(z.string()).describe('What its limits count by'),
  tiers: z.array(z.string()),
  hasLine: z.boolean(),
});

const A_LIMIT = "a limit such as 60, '200k' or '$5', or an object from plans to such limits";
const perPlan = z
  .union([limit, z.record(z.string(), limit)], { error: A_LIMIT })
  .describe(A_LIMIT)
  .optional();
const mode = z.enum(['enforce', 'shadow'], { error: "'enforce' or 'shadow'" }).optional();
const ON_STORE_ERROR = ['open', 'closed', 'local'] as const;
const onStoreError = z.enum(ON_STORE_ERROR, { error: "'open', 'closed' or 'local'" }).optional();
const SHARES = 'a list of shares such as [0.8, 0.95]';
const shares = z
  .array(z.number({ error: SHARES }), { error: SHARES })
  .describe(SHARES)
  .optional();
const reserve = z.enum(['likely', 'worst'], { error: "'likely' or 'worst'" }).optional();

const A_CHANGE = { error: 'an object with what is to change' };
const limitChange = z.strictObject(
  { limit: perPlan, capacity: perPlan, refill: perPlan, mode, onStoreError },
  A_CHANGE,
);
const budgetChange = z.strictObject(
  { limit: perPlan, reserve, degradeAt: shares, alertAt: shares, mode, onStoreError },
  A_CHANGE,
);

/** Whom anything is about: by all dimensions that gates count by, and the plan, by which limits may go. */
function whomOf(gates: readonly AdminGate[]) {
  const dimensions = new Set<Dimension>([...gates.flatMap((gate) => [...gate.dimensions]), 'plan']);
  const value = text('a text');
  return z.strictObject(Object.fromEntries([...dimensions].map((dimension) => [dimension, value.optional()])), {
    error: "whose, such as { user: 'u1' }",
  });
}

export function gateOperations(gates: readonly AdminGate[], ring: AdminKeyRing | undefined): readonly Operation[] {
  const byName = new Map(gates.map((gate) => [gate.name, gate]));
  const whom = whomOf(gates).describe('A key that the ring has stands for its subject.');

  /** A key that the ring has brings its subject, and the limits of its own. */
  async function wholeOf({ key, ...rest }: Record<string, string | undefined>): Promise<Whom> {
    if (key === undefined) return rest;
    const keys = (await ring?.list()) ?? [];
    const found = keys.find(({ id }) => id === key) ?? keys.find(({ identity }) => identity === key);
    return { ...found?.subject, ...rest, key: found?.identity ?? key };
  }

  return [
    operation({
      id: 'listGates',
      method: 'GET',
      path: '/gates',
      summary: 'All gates, with their limits and budgets as they are configured now.',
      input: nothing,
      output: z.object({ gates: z.array(gateSummary) }),
      run: () => ({ gates: gates.map(summaryOf) }),
    }),
    operation({
      id: 'inspectSubject',
      method: 'GET',
      path: '/gates/{gate}/usage',
      summary: 'How the limits and budgets stand that count a subject: those whose dimensions are all given.',
      input: whom,
      output: z.object({ limits: z.array(layer), budgets: z.array(budget) }),
      async run({ gate }, input) {
        const subject = await wholeOf(input);
        return byName.get(gate)?.inspect(subject, subject);
      },
    }),
    operation({
      id: 'inspectLine',
      method: 'GET',
      path: '/gates/{gate}/line',
      summary: 'Who waits, for how long, and what is shed.',
      input: nothing,
      output: line,
      run: async ({ gate }) => (await byName.get(gate)?.inspect({}))?.line,
    }),
    operation({
      id: 'updateLimit',
      method: 'PATCH',
      path: '/gates/{gate}/limits/{limit}',
      summary: 'Changes a limit from now on, in all processes. Usage is kept.',
      input: limitChange,
      output: gateSummary,
      run: ({ gate, limit }, input) => changed(byName.get(gate), { limits: { [limit]: input } } as TollgateChange),
    }),
    operation({
      id: 'updateBudget',
      method: 'PATCH',
      path: '/gates/{gate}/budgets/{budget}',
      summary: 'Changes a budget from now on, in all processes. What was spent is kept.',
      input: budgetChange,
      output: gateSummary,
      run: ({ gate, budget }, input) => changed(byName.get(gate), { budgets: { [budget]: input } } as TollgateChange),
    }),
    operation({
      id: 'topUpBudget',
      method: 'POST',
      path: '/gates/{gate}/budgets/{budget}/top-up',
      summary: "Gives somebody's budget more room until its period ends. Each call gives anew.",
      input: z.strictObject(
        { whom, amount: text("an amount such as '$5'") },
        { error: "an object such as { whom: { user: 'u1' }, amount: '$5' }" },
      ),
      output: budget,
      run: async ({ gate, budget }, { whom, amount }) =>
        byName.get(gate)?.topUp(budget, await wholeOf(whom), amount as Money),
    }),
    operation({
      id: 'resetBudget',
      method: 'POST',
      path: '/gates/{gate}/budgets/{budget}/reset',
      summary: "Gives somebody's budget as much room as has been used of it. What was spent stays on the books.",
      input: z.strictObject({ whom }, { error: "an object such as { whom: { user: 'u1' } }" }),
      output: budget,
      run: async ({ gate, budget }, { whom }) => byName.get(gate)?.resetBudget(budget, await wholeOf(whom)),
    }),
  ];
}

function changed(gate: AdminGate | undefined, change: TollgateChange) {
  gate?.update(change);
  return gate && summaryOf(gate);
}

function summaryOf({ name, limits, budgets, dimensions, tiers, hasLine }: AdminGate) {
  return {
    name,
    limits: limits.map(configuredOf),
    budgets: budgets.map(configuredOf),
    dimensions: [...dimensions],
    tiers: [...tiers],
    hasLine,
  };
}
