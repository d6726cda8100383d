/** What apps rely on that come from another rate limiter: a table, a row for each promise that no other part holds. */
import { recordWarnings } from '../../helpers/http-warnings.js';
import { twoGates } from './behaviours-gates.js';
import { crowds, dynamicLimits, severalLimits, storeErrors } from './behaviours-limits.js';
import { neighbours, once } from './behaviours-passage.js';
import type { Behaviour } from './behaviours-table.js';
import type { Open } from './workbench.js';

const TABLE: [string, readonly Behaviour[]][] = [
  ['limits that change', dynamicLimits],
  ['several limits', severalLimits],
  ['a crowd', crowds],
  ['store errors', storeErrors],
  ['once only', once],
  ['what stands beside the gate', neighbours],
  ['two gates', twoGates],
];

export function behaviourContract(open: Open): void {
  recordWarnings();

  describe.each(TABLE)('%s', (_, behaviours) => {
    test.each(behaviours)('%s', (_, holds) => holds(open));
  });
}
