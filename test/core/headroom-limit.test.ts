/** Limits that follow what somebody else says is left: what they admit, and what observations make of that. */
import { headroom, type Observation } from '@tollgate/core';
import { askers, flush, gateOf, MINUTE, SECOND, thrownBy } from './support.js';

const rpm = (limit: number | (() => number | undefined)) => headroom({ name: 'rpm', limit, window: '1m' });

const request = { permits: 1 };

describe('headroom', () => {
  it('is the limit at once, and comes back evenly', async () => {
    const { admission, refusal, clock } = gateOf([rpm(60)]);
    for (let i = 0; i < 60; i++) await admission(request);
    expect(await refusal(request)).toMatchObject({ layer: 'rpm', reason: 'limit', retryAfterMs: SECOND });
    clock.advance(SECOND);
    await admission(request);
    expect(await refusal(request)).toMatchObject({ retryAfterMs: SECOND });
  });

  it('refuses for good what costs more than the limit', async () => {
    const { refusal } = gateOf([headroom({ name: 'tpm', unit: 'tokens', limit: '1k', window: '1m' })]);
    const costly = { permits: 1, estimate: { inputTokens: 600, outputTokens: 401 } };
    expect(await refusal(costly)).toMatchObject({ reason: 'too-costly', status: 422 });
  });

  it('is corrected by what was used, and never below nothing', async () => {
    const { admission, used, clock } = gateOf([headroom({ name: 'tpm', unit: 'tokens', limit: 6000, window: '1m' })]);
    const one = await admission({ permits: 1, estimate: { inputTokens: 100, outputTokens: 900 } });
    await one.settle({ usage: { inputTokens: 100, outputTokens: 200 } });
    expect(await used()).toEqual({ tpm: 300 });
    const other = await admission({ permits: 1, estimate: { inputTokens: 100, outputTokens: 900 } });
    clock.advance(10 * SECOND);
    await other.settle({ usage: { inputTokens: 0, outputTokens: 0 } });
    expect(await used()).toEqual({ tpm: 0 });
    const third = await admission({ permits: 1, estimate: { inputTokens: 100, outputTokens: 0 } });
    await third.settle({ usage: { inputTokens: 100, outputTokens: 5000 } });
    expect(await used()).toEqual({ tpm: 5100 });
  });

  it('comes back though nothing is ever settled', async () => {
    const { admission, used, clock } = gateOf([rpm(60)]);
    for (let i = 0; i < 60; i++) await admission(request);
    clock.advance(MINUTE);
    expect(await used()).toEqual({ rpm: 0 });
  });

  it('is not counted where its limit is unknown, and each way has its own', async () => {
    const seen: unknown[] = [];
    const limit = headroom({
      name: 'rpm',
      by: ['provider', 'key', 'model'],
      window: '1m',
      limit: ({ provider, key, model, user }) => {
        seen.push([provider, key, model, user]);
        return key === 'a' ? undefined : 1;
      },
    });
    const { admission, gate } = gateOf([limit]);
    const ways = ['b', 'a'].map((key) => ({ name: key, provider: 'openai', model: 'gpt', subject: { key } }));
    const asked = { permits: 1, subject: { user: 'ann' }, ways };
    expect([(await admission(asked)).way, (await admission(asked)).way, (await admission(asked)).way]).toEqual([
      'b',
      'a',
      'a',
    ]);
    expect(seen.slice(0, 2)).toEqual([
      ['openai', 'b', 'gpt', 'ann'],
      ['openai', 'a', 'gpt', 'ann'],
    ]);
    const at = async (key: string) => (await gate.inspect({ key }, { provider: 'openai', model: 'gpt' })).limits;
    expect(await at('a')).toEqual([]);
    expect(await at('b')).toMatchObject([{ used: 1, limit: 1, windowMs: MINUTE }]);
  });

  it('names a limit that is none', async () => {
    const { gate } = gateOf([rpm(() => -1)]);
    expect(thrownBy(() => gate.decide(request))).toMatchObject({ code: 'TOLLGATE_LIMIT_INVALID' });
  });
});

describe('observe', () => {
  it('raises what is used at once, by what was charged since too', async () => {
    const { admission, used } = gateOf([rpm(100)]);
    const first = await admission(request);
    await admission(request);
    await first.observe([{ layer: 'rpm', limit: 100, remaining: 60 }]);
    expect(await used()).toEqual({ rpm: 41 });
  });

  it('lowers it by half of the difference each time, and of what the admission was charged at most', async () => {
    const { admission, used } = gateOf([rpm(100)]);
    for (let i = 0; i < 79; i++) await admission(request);
    const last = await admission(request);
    const usages = [];
    for (let i = 0; i < 3; i++) {
      await last.observe([{ layer: 'rpm', limit: 100, remaining: 21 }]);
      usages.push((await used()).rpm);
    }
    expect(usages).toEqual([79.5, 79.25, 79.125]);
  });

  it('does not count what has come back meanwhile as charged since', async () => {
    const { admission, used, clock } = gateOf([rpm(60)]);
    for (let i = 0; i < 59; i++) await admission(request);
    const slow = await admission(request);
    for (let i = 0; i < 20; i++) {
      clock.advance(SECOND);
      await admission(request);
    }
    await slow.observe([{ layer: 'rpm', limit: 60, remaining: 0 }]);
    expect(await used()).toEqual({ rpm: 60 });
  });

  it('shuts for as long as was said, and a shorter one does not open earlier, but 0 does', async () => {
    const { admission, refusal, clock } = gateOf([rpm(100)]);
    const first = await admission(request);
    await first.settle();
    await first.observe([{ layer: 'rpm', shutMs: 10 * SECOND }]);
    await first.observe([{ layer: 'rpm', shutMs: SECOND }]);
    expect(await refusal(request)).toMatchObject({ retryAfterMs: 10 * SECOND });
    expect(await refusal({ permits: 0 })).toMatchObject({ retryAfterMs: 10 * SECOND });
    clock.advance(10 * SECOND);
    const second = await admission(request);
    await second.observe([{ layer: 'rpm', shutMs: MINUTE }]);
    await refusal(request);
    await second.observe([{ layer: 'rpm', shutMs: 0 }]);
    await admission(request);
  });

  it('shuts what has no limit, too', async () => {
    const { admission, refusal, clock } = gateOf([rpm(() => Number.POSITIVE_INFINITY)]);
    const first = await admission(request);
    await first.observe([{ layer: 'rpm', remaining: 3, shutMs: SECOND }]);
    expect(await refusal(request)).toMatchObject({ retryAfterMs: SECOND });
    clock.advance(SECOND);
    await admission(request);
  });

  it('keeps a limit of its own below theirs, of which others may have used the rest', async () => {
    const { admission, used, clock } = gateOf([rpm(60)]);
    const admissions = [];
    for (let i = 0; i < 10; i++) admissions.push(await admission(request));
    await admissions[9].observe([{ layer: 'rpm', limit: 6000, remaining: 3000 }]);
    expect(await used()).toEqual({ rpm: 10 });
    clock.advance(SECOND);
    expect(await used()).toEqual({ rpm: 9 });
    await admissions[9].observe([{ layer: 'rpm', limit: 6000, remaining: 20 }]);
    expect(await used()).toEqual({ rpm: 40 });
  });

  it('shuts by a limit of 0, and forgets that it has when nothing was heard for a day', async () => {
    const known: { limit: number | undefined } = { limit: undefined };
    const { admission, refusal, used, clock } = gateOf([rpm(() => known.limit)]);
    known.limit = 60;
    const first = await admission(request);
    known.limit = 0;
    await first.observe([{ layer: 'rpm', limit: 0, remaining: 0 }]);
    expect(await refusal(request)).toMatchObject({ status: 422 });
    clock.advance(24 * 60 * MINUTE - 1);
    expect((await used()).rpm).toBeGreaterThan(0);
    clock.advance(1);
    expect(await used()).toEqual({ rpm: 0 });
  });

  it('tells of a limit that was not known', async () => {
    let limit: number | undefined;
    const { admission, used, clock } = gateOf([rpm(() => limit)]);
    const first = await admission(request);
    await first.observe([{ layer: 'rpm', limit: 60, remaining: 10 }]);
    limit = 60;
    expect(await used()).toEqual({ rpm: 50 });
    clock.advance(10 * SECOND);
    expect(await used()).toEqual({ rpm: 40 });
  });

  it('lets those begin who wait, where it leaves more room', async () => {
    const { gate } = gateOf([rpm(10)], { queue: { maxWait: '5m' } });
    const { ask, of, began } = askers(gate);
    for (let i = 0; i < 14; i++) ask(`${i}`);
    await flush();
    expect(began).toHaveLength(10);
    for (let i = 6; i < 10; i++) await of(`${i}`).observe([{ layer: 'rpm', remaining: 4 }]);
    await flush();
    expect(began).toHaveLength(12);
    await of('11').observe([{ layer: 'rpm', shutMs: MINUTE }]);
    for (let i = 10; i < 12; i++) await of(`${i}`).observe([{ layer: 'rpm', remaining: 2, shutMs: 0 }]);
    await flush();
    expect(began).toHaveLength(13);
  });

  const wrong: readonly (readonly [unknown, string])[] = [
    [{}, "readings: got an object; expected a list such as [{ layer: 'rpm', remaining: 12 }]."],
    [[7], "readings[0]: got 7; expected an object such as { layer: 'rpm', limit: 500, remaining: 12 }."],
    [[{ layer: 'tpm' }], "readings[0].layer: got 'tpm'; expected one of 'rpm'."],
    [
      [{ layer: 'rpm' }, { layer: 'rpm', remaining: -1 }],
      'readings[1].remaining: got -1; expected a finite number from 0',
    ],
    [[{ layer: 'rpm', reset: 1 }], 'readings[0].reset: got 1; expected layer, limit, remaining, shutMs alone.'],
  ];
  it.each(wrong)('takes no reading that is none: %j', async (readings, message) => {
    const { admission } = gateOf([rpm(10)]);
    const first = await admission(request);
    const error = thrownBy(() => first.observe(readings as readonly Observation[]));
    expect(error.code).toBe('TOLLGATE_OBSERVATION_INVALID');
    expect(error.message).toContain(message);
  });
});
