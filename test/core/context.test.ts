import { createTollgate, slidingWindow } from '@tollgate/core';
import { tracking } from '../../packages/core/src/tracking.js';

test('nothing is tracked until somebody can ask: the main entry and the adapters leave async hooks alone', async () => {
  require('@tollgate/core/http');
  require('@tollgate/express');
  require('@tollgate/fastify');
  require('@tollgate/koa');
  expect(tracking.storage).toBeUndefined();

  const { currentAdmission, runWithAdmission } =
    require('@tollgate/core/context') as typeof import('@tollgate/core/context');
  expect(tracking.storage).toBeDefined();

  const gate = createTollgate({ limits: [slidingWindow({ name: 'all', limit: 5, window: '1m' })] });
  const decision = await gate.admit({ tier: 'small' });
  const admission = decision.admitted ? decision.admission : undefined;
  expect(admission).toBeDefined();
  expect(currentAdmission()).toBeUndefined();
  await runWithAdmission(admission, async () => {
    await Promise.resolve();
    expect(currentAdmission()).toBe(admission);
    runWithAdmission(undefined, () => expect(currentAdmission()).toBeUndefined());
    expect(currentAdmission()).toBe(admission);
  });
  expect(currentAdmission()).toBeUndefined();
});
