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
  return { clock, store, keys: keyRing({ store, clock }) };
}

describe('keyRing warns of services with fewer than two live keys, once', () => {
  const warnings = recordWarnings();
  const few = () => warnings().filter((code) => code === 'TOLLGATE_FEW_KEYS').length;

  it('for each environment and service, until it has two', async () => {
    const { keys } = setUp();
    const { key } = await keys.create({ service: 'search' });
    expect(few()).toBe(1);
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

  it('where one is revoked or expires, and where a ring is made', async () => {
    const { keys, clock, store } = setUp();
    await keys.create({ service: 'search', expiresIn: '1d' });
    const { key } = await keys.create({ service: 'search' });
    await keys.create({ service: 'search' });
    expect(few()).toBe(1);
    clock.advance(DAY);
    await keys.list();
    expect(few()).toBe(1);
    await keys.revoke(key.id);
    expect(few()).toBe(2);
    keyRing({ store, clock });
    await Promise.resolve();
    expect(few()).toBe(3);
  });

  it('reads all keys once a minute at most, however many change, and not once it is closed', async () => {
    const { keys, clock, store } = setUp();
    const list = jest.spyOn(store.records as NonNullable<typeof store.records>, 'list');
    const made = [];
    for (let i = 0; i < 100; i++) made.push(await keys.create({ service: 'search' }));
    expect(list).toHaveBeenCalledTimes(1);
    for (const { key } of made.slice(1)) await keys.revoke(key.id);
    expect([list.mock.calls.length, few()]).toEqual([1, 1]);
    clock.advance(MINUTE - 1);
    expect(list).toHaveBeenCalledTimes(1);
    clock.advance(1);
    await quiet();
    expect([list.mock.calls.length, few()]).toEqual([2, 1]);
    await keys.create({ service: 'chat' });
    await keys.close();
    clock.advance(10 * MINUTE);
    await quiet();
    expect(list).toHaveBeenCalledTimes(2);
  });
});
