/** `inspect` and `explain`: how limits stand, and how a request would be decided. */
import {
  createTollgate,
  DEFAULT_TIERS,
  formatMoney,
  type LayerState,
  type Subject,
  type TollgateConfig,
} from '@tollgate/core';
import { loadConfig, UsageError } from '../config-file.js';
import { count, duration, jsonText, type OutputOptions, section, table } from '../output.js';

interface SubjectOptions {
  readonly user?: string;
  readonly tenant?: string;
  readonly key?: string;
  readonly plan?: string;
  readonly ip?: string;
}

export interface RequestOptions extends SubjectOptions {
  readonly tier?: string;
  readonly permits?: string;
  readonly feature?: string;
  readonly route?: string;
  readonly model?: string;
  readonly priority?: string;
}

/** Calls `look` with a gate that is closed afterwards. */
async function withGate<T>(config: TollgateConfig, look: (gate: ReturnType<typeof createTollgate>) => Promise<T>) {
  const gate = createTollgate(config);
  try {
    return await look(gate);
  } finally {
    await gate.close();
  }
}

export async function inspectCommand(file: string, options: RequestOptions & OutputOptions): Promise<string> {
  const config = await loadConfig(file);
  const { feature, route, model } = options;
  const facts = { feature, route, model };
  const { limits, budgets, line } = await withGate(config, (gate) => gate.inspect(subjectOf(options), facts));
  if (options.json) return jsonText({ limits, budgets, line });
  return (
    [section('Limits', standing(limits)), section('Budgets', standing(budgets)), forgotten(config)]
      .join('')
      .trimStart() || 'No limit or budget counts this subject apart from others.\n'
  );
}

export async function explainCommand(file: string, options: RequestOptions & OutputOptions): Promise<string> {
  const config = await loadConfig(file);
  const { tier, permits, feature, route, model, priority } = options;
  const request = { subject: subjectOf(options), tier, permits: numberOf(permits), feature, route, model };
  const asked = { ...request, priority: priority as 'standard' | undefined };
  const explanation = await withGate(config, (gate) => gate.explain(asked as Parameters<typeof gate.explain>[0])).catch(
    (error) => {
      // Only a gate that counts permits has to be told of them.
      if (tier !== undefined || permits !== undefined || !/^permits: /.test(error.message)) throw error;
      const tiers = Object.keys(config.tiers ?? DEFAULT_TIERS).join(', ');
      throw new UsageError(`explain: got no cost; expected --permits, or --tier with one of ${tiers}`);
    },
  );
  if (options.json) return jsonText(explanation);
  const { admitted, refusal, waits, layers, model: serving } = explanation;
  const answer = admitted
    ? `It would be admitted${serving === undefined ? '' : `, and served by ${serving}`}.\n`
    : waits !== undefined
      ? `It would wait, at position ${waits.position} of the line.\n`
      : `It would be refused with status ${refusal?.status}: ${refusal?.detail}\n`;
  return answer + section('Limits and budgets that it meets', standing(layers, 'with cost')) + forgotten(config);
}

function subjectOf({ user, tenant, key, plan, ip }: SubjectOptions): Subject {
  return { user, tenant, key, plan, ip };
}

function numberOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0)) {
    throw new UsageError(`--permits: got '${text}'; expected a number of permits, 0 or more`);
  }
  return value;
}

/** What each limit and budget has used and left; what this request costs it, where there is one. */
function standing(layers: readonly LayerState[], cost?: 'with cost'): string {
  const rows = layers.map(({ layer, key, unit, cost: asked, used, limit, remaining, refillMs, mode }) => {
    const amount = (value: number) => (unit === 'usd' ? formatMoney(value) : count(value));
    const whose = key.map((value) => value ?? '–').join(', ');
    const trial = mode === 'shadow' ? 'on trial' : '';
    const amounts = [...(cost ? [asked] : []), used, limit, remaining].map(amount);
    return [layer, whose, unit, ...amounts, duration(refillMs), trial];
  });
  return table(['layer', 'key', 'unit', ...(cost ? ['cost'] : []), 'used', 'limit', 'left', 'more in', ''], rows);
}

/** A store of this process has counted nothing yet. */
function forgotten({ store }: TollgateConfig): string {
  return store === undefined
    ? '\nThe configuration has no store that is shared, so nothing has been used yet as far as this command can see.\n'
    : '';
}
