/** `inspect` and `explain`: how a gate stands, and what would become of a request. */
import { createTollgate, formatMoney, type LayerState, type Subject, type TollgateConfig } from '@tollgate/core';
import { loadConfig, UsageError } from '../config-file.js';
import { count, duration, section, table } from '../tables.js';

export interface SubjectOptions {
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

/** Runs `look` with a gate that is closed afterwards. */
async function withGate<T>(config: TollgateConfig, look: (gate: ReturnType<typeof createTollgate>) => Promise<T>) {
  const gate = createTollgate(config);
  try {
    return await look(gate);
  } finally {
    await gate.close();
  }
}

export async function inspectCommand(file: string, options: RequestOptions & { json?: boolean }): Promise<string> {
  const config = await loadConfig(file);
  const { feature, route, model } = options;
  const facts = { feature, route, model };
  const { limits, budgets, line } = await withGate(config, (gate) => gate.inspect(subjectOf(options), facts));
  if (options.json) return json({ limits, budgets, line });
  return (
    [section('Limits', states(limits)), section('Budgets', states(budgets)), forgotten(config)].join('').trimStart() ||
    'Nothing counts this subject by itself.\n'
  );
}

export async function explainCommand(file: string, options: RequestOptions & { json?: boolean }): Promise<string> {
  const config = await loadConfig(file);
  const { tier, permits, feature, route, model, priority } = options;
  const request = { subject: subjectOf(options), tier, permits: numberOf(permits), feature, route, model };
  const asked = { ...request, priority: priority as 'standard' | undefined };
  const explanation = await withGate(config, (gate) => gate.explain(asked as Parameters<typeof gate.explain>[0]));
  if (options.json) return json(explanation);
  const { admitted, refusal, waits, layers, model: serving } = explanation;
  const answer = admitted
    ? `It would be admitted${serving === undefined ? '' : `, and served by ${serving}`}.\n`
    : waits !== undefined
      ? `It would wait, as number ${waits.position} in the line.\n`
      : `It would be refused with status ${refusal?.status}: ${refusal?.detail}\n`;
  return answer + section('Limits and budgets that it meets', states(layers)) + forgotten(config);
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

function states(layers: readonly LayerState[]): string {
  const rows = layers.map(({ layer, key, unit, cost, used, limit, remaining, refillMs, mode }) => {
    const amount = (value: number) => (unit === 'usd' ? formatMoney(value) : count(value));
    const whose = key.map((value) => value ?? '–').join(', ');
    const trial = mode === 'shadow' ? 'on trial' : '';
    return [
      layer,
      whose,
      unit,
      amount(cost),
      amount(used),
      amount(limit),
      amount(remaining),
      duration(refillMs),
      trial,
    ];
  });
  return table(['layer', 'key', 'unit', 'cost', 'used', 'limit', 'left', 'more in', ''], rows);
}

/** Where nothing can have been counted yet. */
function forgotten({ store }: TollgateConfig): string {
  return store === undefined
    ? '\nThe configuration has no store of its own, so usage is what this command itself has seen: none.\n'
    : '';
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
