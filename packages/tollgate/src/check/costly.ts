/** Tiers that a limit or budget never has room for, whatever has been used. */
import { type AdmitRequest, DEFAULT_TIERS, formatMoney, type Tollgate, type TollgateConfig } from '@tollgate/core';
import { count } from '../tables.js';
import type { Finding } from './findings.js';

/** Who lacks no dimension. */
export const SOMEONE = { user: 'someone', tenant: 'someone', key: 'someone', ip: '192.0.2.1' };

/** Each tier, of each plan, by the first model of the first ladder, as a client would meet it. */
export async function costly(gate: Tollgate, config: TollgateConfig): Promise<Finding[]> {
  const found = new Map<string, Finding>();
  // Without prices nothing costs dollars but what says so itself.
  const usd = config.prices === undefined ? '$0' : undefined;
  for (const tier of Object.keys(config.tiers ?? DEFAULT_TIERS)) {
    for (const plan of plansOf(config)) {
      for (const finding of await refusals(gate, { tier, usd, model: config.ladders?.[0]?.[0] }, plan)) {
        found.set(`${finding.path} ${finding.text}`, finding);
      }
    }
  }
  return [...found.values()];
}

async function refusals(
  gate: Tollgate,
  asked: Pick<AdmitRequest, 'tier' | 'usd' | 'model'>,
  plan: string | undefined,
): Promise<Finding[]> {
  const subject = { ...SOMEONE, plan };
  try {
    const { refusal } = await gate.explain({ subject, ...asked, feature: 'any', route: 'any' });
    if (refusal?.reason !== 'too-costly') return [];
    return refusal.violated.map(({ layer, unit, cost, limit }) => {
      const amounts =
        unit === 'usd' ? [formatMoney(cost), formatMoney(limit)] : [count(cost), `${count(limit)} ${unit}`];
      const whose = plan === undefined ? '' : ` of plan '${plan}'`;
      const text = `It costs ${amounts[0]}, and '${layer}'${whose} holds ${amounts[1]}: such requests are always refused, with status 422.`;
      return { path: `tiers.${asked.tier}`, text };
    });
  } catch {
    // A plan or model that the configuration knows nothing of is another finding's.
    return [];
  }
}

/** All plans that a limit or budget names; none where it goes by no plan. */
function plansOf({ limits = [], budgets = [] }: TollgateConfig): readonly (string | undefined)[] {
  const amounts = [...limits, ...budgets].map((layer) =>
    layer.kind === 'tokenBucket' ? layer.capacity : 'limit' in layer ? layer.limit : undefined,
  );
  const plans = amounts.flatMap((amount) =>
    typeof amount === 'object' && amount !== null && !('min' in amount) ? Object.keys(amount) : [],
  );
  return plans.length === 0 ? [undefined] : [...new Set(plans)];
}
