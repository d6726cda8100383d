/** Work that turns out larger than was said: charged under the same admission, or refused with that left as it was. */
import { type Admission, slidingWindow } from '@tollgate/core';
import type { Answer, Call } from './harness.js';
import { as, type Open } from './workbench.js';

const limits = [
  slidingWindow({ name: 'tokens', by: 'user', unit: 'tokens', limit: 1000, window: '1m' }),
  slidingWindow({ name: 'permits', by: 'user', limit: 1000, window: '1m' }),
];
const ann = { user: 'ann' };
const toll = { tier: 'large', estimate: { inputTokens: 100, outputTokens: 200 } } as const;

export function extendingContract(open: Open): void {
  const openFor = (handler: (call: Call) => Answer | Promise<Answer>) =>
    open({ limits, routes: [{ path: '/', toll, handler }] });
  const ask = { headers: as(ann) };

  test('charges more under the same admission, and settles as one', async () => {
    const { send, used, settlements } = await openFor(async ({ admission }) => {
      const { id } = admission as Admission;
      const more = await admission?.extend({ inputTokens: 50, outputTokens: 50 });
      if (!more?.admitted) throw new Error('refused');
      return { body: JSON.stringify([more.admission.id === id, more.admission.estimate]) };
    });
    const { text } = await send('/', ask);
    expect(JSON.parse(text)).toEqual([true, { inputTokens: 150, outputTokens: 250, usd: 0 }]);
    expect([await used('tokens', ann), await used('permits', ann)]).toEqual([400, 10]);
    expect(settlements).toHaveLength(1);
  });

  test('refused, charges nothing, and leaves what was admitted as it was', async () => {
    const { send, used } = await openFor(async ({ admission }) => {
      const more = await admission?.extend({ inputTokens: 900 });
      return { body: JSON.stringify(more?.admitted === false && [more.refusal.reason, more.refusal.layer]) };
    });
    const reply = await send('/', ask);
    expect(reply.status).toBe(200);
    expect(JSON.parse(reply.text)).toEqual(['limit', 'tokens']);
    expect(await used('tokens', ann)).toBe(300);
  });

  test('is an error once the response has ended, unless kept open', async () => {
    let admission: Admission | undefined;
    const { send, used } = await openFor((call) => {
      admission = call.admission;
      return {};
    });
    await send('/', ask);
    await expect(admission?.extend({ inputTokens: 1 })).rejects.toMatchObject({ code: 'TOLLGATE_ADMISSION_SETTLED' });
    expect(await used('tokens', ann)).toBe(300);
  });
}
