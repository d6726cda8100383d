/** The line of a gate: who waits, for what, and who is next. */
import { askers, flush, gateOf, SECOND } from './support.js';

describe('a line', () => {
  it('has the second wait until the first is settled', async () => {
    const { gate, clock, used } = gateOf([], { queue: { concurrency: 1 } });
    const { ask, of, end, began } = askers(gate);
    ask('first');
    ask('second');
    await flush();
    expect(began).toEqual(['first']);
    expect(await used()).toEqual({ concurrency: 1 });
    clock.advance(2 * SECOND);
    await end('first');
    expect(began).toEqual(['first', 'second']);
    expect(of('second').waitedMs).toBe(2 * SECOND);
    await end('second');
    expect(await used()).toEqual({ concurrency: 0 });
  });
});
