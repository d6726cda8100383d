/** Tries a limit on recorded traffic, in what any module setting accepts: one request is admitted, the next one is not. */
import { createTollgate, memoryStore, slidingWindow, type TollgateConfig } from '@tollgate/core';
import { recordTraffic } from '@tollgate/core/traffic';
import { replay, trafficLines } from 'tollgate';

const policy = (limit: number): TollgateConfig => ({
  limits: [slidingWindow({ name: 'user', by: 'user', limit, window: '1m' })],
});

export async function run(): Promise<number[]> {
  const gate = createTollgate({ ...policy(100), store: memoryStore() });
  const lines: string[] = [];
  recordTraffic(gate, (line) => lines.push(line));
  for (let i = 0; i < 2; i++) await gate.admit({ subject: { user: 'ada' }, tier: 'large' });
  const { admitted, refused, layers } = await replay(policy(10), trafficLines(lines));
  return [admitted === 1 ? 200 : 500, refused === layers.user?.refused ? 429 : 500];
}

// @ts-expect-error not a configuration
export const wrong = () => replay({ limits: 5 }, []);
