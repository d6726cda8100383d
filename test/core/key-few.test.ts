/** A service that has one key has none to go on with when that leaks: somebody is told. */
import { memoryStore } from '@tollgate/core';
import { keyRing } from '@tollgate/core/keys';
import { manualClock } from '@tollgate/core/testing';
import { quiet } from '../helpers/http-server.js';
import { recordWarnings } from '../helpers/http-warnings.js';

const DAY = 86_400_000;
const MINUTE = 60_000;

function setUp() {
  const clock = manualClock();
  const store = memoryStore();
  const minute = async () => {
    clock.advance(MINUTE);
    await quiet();
  };
  return { clock, store, keys: keyRing({ store, clock }), minute };
}

describe('keyRing warns of services with fewer than two live keys, once', () => {
  const warnings = recordWarnings();
  const few = () => warnings().filter((code) => code === 'TOLLGATE_FEW_KEYS').length;

  it('for each environment and service, until it has two', async () => {
    const { keys } = setUp();
    const { key } = await keys.create({ service: 'search' });
    await keys.list();
    await keys.list();
    expect(few()).toBe(1);
    await keys.create({ service: 'search', environment: 'staging' });
    await keys.create({ service: 'chat' });
    await keys.list();
    expect(few()).toBe(3);
    await keys.create({ service: 'search' });
    await keys.rotate(key.id);
    await keys.list();
    expect(few()).toBe(3);
    await keys.revoke(key.id);
    await keys.list();
    expect(few()).toBe(3);
  });

  it('where one is revoked or expires, a minute later, and where a ring is made', async () => {
    const { keys, clock, store, minute } = setUp();
    await keys.create({ service: 'search', expiresIn: '1d' });
    const { key } = await keys.create({ service: 'search' });
    await keys.create({ service: 'search' });
    clock.advance(DAY);
    await keys.list();
    expect(few()).toBe(0);
    await keys.revoke(key.id);
    expect(few()).toBe(0);
    await minute();
    expect(few()).toBe(1);
    keyRing({ store, clock });
    await Promise.resolve();
    expect(few()).toBe(2);
  });

  it('where several were made or revoked in the same minute, by what that has led to', async () => {
    const { keys, minute } = setUp();
    const made = [];
    for (let i = 0; i < 2; i++) made.push(await keys.create({ service: 'search' }));
    await minute();
    expect(few()).toBe(0);
    await keys.revoke(made[0].key.id);
    made.push(await keys.create({ service: 'search' }));
    await minute();
    expect(few()).toBe(0);
    for (const { key } of made.slice(0, 2)) await keys.revoke(key.id);
    await minute();
    expect(few()).toBe(1);
  });

  it('reads all keys once a minute at most, however many change, and once more where it is closed before', async () => {
    const { keys, store, minute } = setUp();
    const list = jest.spyOn(store.records as NonNullable<typeof store.records>, 'list');
    for (let i = 0; i < 100; i++) await keys.create({ service: 'search' });
    expect(list).toHaveBeenCalledTimes(0);
    await minute();
    await minute();
    expect([list.mock.calls.length, few()]).toEqual([1, 0]);
    await keys.create({ service: 'chat' });
    await keys.close();
    expect([list.mock.calls.length, few()]).toEqual([2, 1]);
    await keys.close();
    await minute();
    expect(list).toHaveBeenCalledTimes(2);
  });
});
