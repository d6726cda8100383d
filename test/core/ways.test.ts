/** Requests that offer ways to be served by: the first of which everything fits. */
import { type AdmitRequest, budget, concurrency, headroom, slidingWindow, type Way } from '@tollgate/core';
import { askers, flush, gateOf, MINUTE, thrownBy } from './support.js';

const way = (name: string, more: Partial<Way> = {}): Way => ({
  name,
  provider: 'openai',
  subject: { key: name },
  ...more,
});

const WAYS = [way('a'), way('b')];

const perKey = (limit: number) =>
  slidingWindow({ name: 'key', by: ['provider', 'key'], unit: 'requests', limit, window: '1m' });

describe('ways', () => {
  it('are taken in their order, each by its own limits, and the admission names the one taken', async () => {
    const { admission, refusal } = gateOf([perKey(2)]);
    const request: AdmitRequest = { permits: 1, ways: WAYS };
    const names = [];
    for (let i = 0; i < 4; i++) names.push((await admission(request)).way);
    expect(names).toEqual(['a', 'a', 'b', 'b']);
    expect(await refusal(request)).toMatchObject({ layer: 'key', retryAfterMs: 66_000 });
  });

  it('are none unless offered', async () => {
    const { admission } = gateOf([perKey(2)]);
    expect((await admission({ permits: 1, provider: 'openai', subject: { key: 'a' } })).way).toBeUndefined();
  });

  it('go before the request in facts and subject, field by field', async () => {
    const names = ['user', 'key', 'provider', 'model', 'feature', 'route'] as const;
    const limits = names.map((name) => slidingWindow({ name, by: name, limit: 100, window: '1m' }));
    const { admission, gate } = gateOf(limits);
    const asked = { user: 'ann', key: 'own' };
    const facts = { provider: 'p0', model: 'm0', feature: 'f0', route: 'r0' };
    const ways = [way('a', { provider: 'p1', model: 'm1', feature: 'f1', subject: { key: 'other' } })];
    const { model, degraded } = await admission({ permits: 1, subject: asked, ...facts, ways });
    expect({ model, degraded }).toEqual({ model: 'm1', degraded: false });
    const charged = { user: 'ann', key: 'other', provider: 'p1', model: 'm1', feature: 'f1', route: 'r0' };
    const { limits: states } = await gate.inspect(charged, charged);
    expect(states.map(({ layer, used }) => [layer, used])).toEqual(names.map((name) => [name, 1]));
  });

  it('are priced by their models, and held to the budgets of their keys', async () => {
    const spend = budget({
      name: 'spend',
      by: ['provider', 'key'],
      per: 'day',
      limit: ({ key }) => (key === 'a' ? '$1' : '$2'),
    });
    const prices = { dear: { input: '$1/M', output: '$0/M' }, cheap: { input: '$0.5/M', output: '$0/M' } } as const;
    const { admission, gate } = gateOf([], { budgets: [spend], prices });
    const ways = [way('a', { model: 'dear' }), way('b', { model: 'cheap' })];
    const request = { permits: 1, ways, estimate: { inputTokens: 1_000_000, outputTokens: 0 } };
    const spent = async (key: string) =>
      (await gate.inspect({ key }, { provider: 'openai' })).budgets.map(({ used }) => used);
    expect((await admission(request)).way).toBe('a');
    const second = await admission(request);
    expect(second.way).toBe('b');
    expect([await spent('a'), await spent('b')]).toEqual([[1e9], [5e8]]);
    await second.extend({ inputTokens: 2_000_000 });
    expect(await spent('b')).toEqual([1.5e9]);
    await second.settle({ usage: { inputTokens: 500_000, outputTokens: 0 } });
    expect(await spent('b')).toEqual([2.5e8]);
  });

  it('wait in the line where none fits, for the first that has room', async () => {
    const { gate, clock } = gateOf(
      [headroom({ name: 'rpm', by: 'key', limit: ({ key }) => (key === 'a' ? 1 : 2), window: '1m' })],
      { queue: { maxWait: '5m' } },
    );
    const { ask, began, of } = askers(gate);
    for (const name of ['1', '2', '3', '4', '5']) ask(name, { permits: 1, ways: WAYS });
    await flush();
    expect(began.map((name) => of(name).way)).toEqual(['a', 'b', 'b']);
    clock.advance(MINUTE / 2);
    await flush();
    expect(began.map((name) => of(name).way)).toEqual(['a', 'b', 'b', 'b']);
    clock.advance(MINUTE / 2);
    await flush();
    expect(of('5').way).toBe('a');
  });

  it('wait in the share of whoever asks, whoever they are charged to', async () => {
    const { gate } = gateOf([headroom({ name: 'rpm', limit: 1, window: '1m' })], {
      queue: { fairBy: 'tenant', maxWait: '5m' },
    });
    const { ask } = askers(gate);
    const ways = [way('a', { subject: { tenant: 'of the way' } })];
    for (const name of ['1', '2']) ask(name, { permits: 1, subject: { tenant: 'own' }, ways });
    await flush();
    expect((await gate.inspect({})).line?.values.map(({ value }) => value)).toEqual(['own']);
  });

  it('take the slots of the one that is taken', async () => {
    const { admission, refusal } = gateOf([concurrency({ name: 'slots', by: 'provider', limit: { min: 1, max: 1 } })]);
    const request = { permits: 1, ways: [way('a'), way('b', { provider: 'azure' })] };
    const first = await admission(request);
    expect([first.way, (await admission(request)).way]).toEqual(['a', 'b']);
    expect(await refusal(request)).toMatchObject({ layer: 'slots' });
    await first.settle();
    expect((await admission(request)).way).toBe('a');
  });

  it('are told of by events and by explain', async () => {
    const { admission, gate } = gateOf([perKey(1)]);
    const told: unknown[] = [];
    gate.on('admitted', ({ way }) => told.push(way));
    gate.on('degraded', () => told.push('degraded'));
    const ways = [way('a', { model: 'm1' }), way('b', { model: 'm2' })];
    await admission({ permits: 1, model: 'm0', ways });
    expect(await gate.explain({ permits: 1, ways })).toMatchObject({ admitted: true, way: 'b', model: 'm2' });
    await admission({ permits: 1, model: 'm0', ways });
    expect(told).toEqual(['a', 'b']);
    expect(await gate.explain({ permits: 1, ways })).toMatchObject({ admitted: false, way: undefined });
  });

  it.each([
    [[], 'ways: got a list; expected a list of at least one way, best first.'],
    ['a', "ways: got 'a'; expected a list of at least one way, best first."],
    [[{}], "ways[0]: got an object; expected an object with a name, such as { name: 'prod-1', provider: 'openai' }."],
    [[way('a'), way('a')], "ways[1].name: got 'a'; expected a name of its own: another way has this one."],
    [[way('a', { subject: 'x' as never })], "ways[0].subject: got 'x'; expected an object such as { user: 'u1' }"],
    [[way('a', { model: 'best' })], "ways[0].model: got 'best'; expected a model of no ladder"],
  ])('that are none are an error: %j', (ways, message) => {
    const { gate } = gateOf([perKey(1)], { ladders: [['best', 'cheap']] });
    const error = thrownBy(() => gate.decide({ permits: 1, ways: ways as never }));
    expect(error.code).toBe('TOLLGATE_REQUEST_INVALID');
    expect(error.message).toContain(message);
  });
});
