/** An app as the README shows it, in what any module setting accepts. Answers one request and refuses the next. */
import { createTollgate, memoryStore, slidingWindow } from '@tollgate/core';
import { createAdmin } from '@tollgate/core/admin';
import { currentAdmission, runWithAdmission } from '@tollgate/core/context';
import { problemBody } from '@tollgate/core/http';
import { keyRing } from '@tollgate/core/keys';
import { redisStore } from '@tollgate/core/redis';
import { manualClock } from '@tollgate/core/testing';

export async function run(): Promise<number[]> {
  const gate = createTollgate({
    limits: [slidingWindow({ name: 'user', by: 'user', limit: 10, window: '1m' })],
    clock: manualClock(),
  });
  async function visit() {
    const decision = await gate.admit({ subject: { user: 'ada' }, tier: 'large' });
    if (!decision.admitted) return problemBody(decision.refusal).status;
    const { admission } = decision;
    const same = runWithAdmission(admission, currentAdmission) === admission;
    await admission.settle({ outcome: 'succeeded' });
    return same ? 200 : 500;
  }
  return [await visit(), await visit()];
}

export const keys = () => keyRing({ store: memoryStore(), limits: { spend: '$5' } });

export const shared = () => redisStore({ callBuffer: async () => null }, { prefix: 'app' });

export const admin = (authorize: (request: object) => boolean) => createAdmin({ gates: [], authorize });

// @ts-expect-error a limit needs a name
export const wrong = () => slidingWindow({ limit: 10, window: '1m' });
