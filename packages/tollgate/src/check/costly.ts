/** Tiers that a limit or budget never has room for, whatever has been used. */
import {
  type AdmitRequest,
  DEFAULT_TIERS,
  formatMoney,
  type TokenCounts,
  type Tollgate,
  type TollgateConfig,
} from '@tollgate/core';
import { count } from '../output.js';
import { type Finding, trialOf } from './finding.js';
import { amountsOf, plansOf } from './plans.js';

/** Each tier, of each plan, by the first model of the first ladder, as a client would meet it. */
export async function costly(gate: Tollgate, config: TollgateConfig): Promise<Finding[]> {
  const found = new Map<string, Finding>();
  // Without prices nothing costs dollars but what says so itself.
  const usd = config.prices === undefined ? ('$0' as const) : undefined;
  const { tiers = DEFAULT_TIERS, limits = [], budgets = [] } = config;
  const plans = plansOf([...limits, ...budgets].flatMap((layer) => Object.values(amountsOf(layer))));
  for (const [tier, costs] of Object.entries(tiers)) {
    const asked = { ...trialOf(gate, config), tier, usd, estimate: leastOf(costs) };
    for (const plan of plans) {
      for (const finding of await refusals(gate, asked, plan)) {
        found.set(`${finding.path} ${finding.text}`, finding);
      }
    }
  }
  return [...found.values()];
}

/** The tokens that a tier states, else none: a request's own may be as few. */
function leastOf(costs: NonNullable<TollgateConfig['tiers']>[string]): TokenCounts {
  const { inputTokens = 0, outputTokens = 0 } = typeof costs === 'number' ? {} : costs;
  return { inputTokens, outputTokens };
}

async function refusals(gate: Tollgate, asked: AdmitRequest, plan: string | undefined): Promise<Finding[]> {
  const subject = plan === undefined ? asked.subject : { ...asked.subject, plan };
  try {
    const { refusal } = await gate.explain({ ...asked, subject });
    if (refusal?.reason !== 'too-costly') return [];
    return refusal.violated.map(({ layer, unit, cost, limit }) => {
      const amounts =
        unit === 'usd' ? [formatMoney(cost), formatMoney(limit)] : [count(cost), `${count(limit)} ${unit}`];
      const whose = plan === undefined ? '' : ` of plan '${plan}'`;
      const text = `It costs ${amounts[0]}, and '${layer}'${whose} holds ${amounts[1]}: such requests are always refused, with status 422.`;
      return { path: `tiers.${asked.tier}`, text };
    });
  } catch {
    // Another finding reports a plan or model that the configuration does not know.
    return [];
  }
}
