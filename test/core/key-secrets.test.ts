/** The text of a key is shown once, and stands nowhere else; nor does the pepper. */
import { inspect } from 'node:util';
import { keyRing } from '@tollgate/core/keys';
import { manualClock } from '@tollgate/core/testing';
import { keyStore } from '../helpers/key-store.js';

const PEPPER = 'the pepper that nobody is to see';

describe('key material', () => {
  const all: unknown[] = [];
  const everything = (value: unknown) =>
    [
      inspect(value, { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true }),
      JSON.stringify(value),
    ].join();
  let said: jest.SpyInstance[];
  beforeEach(() => {
    all.length = 0;
    const record = (...what: unknown[]) => {
      all.push(...what);
      return true;
    };
    said = [
      jest.spyOn(process, 'emitWarning').mockImplementation(record as never),
      ...(['log', 'warn', 'error', 'info', 'debug'] as const).map((level) =>
        jest.spyOn(console, level).mockImplementation(record as never),
      ),
    ];
  });
  afterEach(() => {
    for (const spy of said) spy.mockRestore();
  });

  it('is in nothing that a ring gives, throws, warns of, tells others or keeps', async () => {
    const store = keyStore();
    const clock = manualClock();
    const shared = store.join();
    shared.shared?.listen('tollgate/keys', (message) => all.push(message));
    const keys = keyRing({ store: shared, clock, pepper: PEPPER });
    const issued = await keys.create({ service: 'search' });
    const next = await keys.rotate(issued.key.id);
    const texts = [issued.reveal(), next.reveal()];
    for (const text of texts) all.push(await keys.verify(text), await keys.verify(text));
    for (const ask of [keys.rotate, keys.revoke]) all.push(await ask(texts[0]).catch((error) => error));
    all.push(await keys.update(texts[0], {}).catch((error) => error));
    store.error = new Error('connection lost');
    all.push(await keyRing({ store: store.join(), clock, pepper: PEPPER }).verify(texts[0]));
    store.error = undefined;
    all.push(keys, issued, next, { ...issued }, await keys.list(), store.records.list('keys', clock.now()));
    all.push(await keys.update(issued.key.id, { subject: { plan: 'pro' } }), await keys.revoke(issued.key.id));
    const shown = all.map(everything).join('\n');
    for (const text of texts) {
      const secret = text.slice(21);
      expect(shown).not.toContain(secret);
      expect(shown).not.toContain(secret.slice(0, 32));
    }
    expect(shown).not.toContain(PEPPER);
  });

  it('is not in the answers to who shows it: not even its digest', async () => {
    const keys = keyRing({ store: keyStore().join() });
    const { reveal } = await keys.create({ service: 'search' });
    const shown = everything([await keys.verify(reveal()), await keys.list()]);
    expect(shown).not.toMatch(/digest|Buffer|Uint8Array/);
  });

  it.each([['short'], [5], [''], [{ pepper: PEPPER }]])('a pepper of %p is wrong, and not shown', (pepper) => {
    const make = () => keyRing({ store: keyStore().join(), pepper: pepper as string });
    expect(make).toThrow('pepper: got a value that is not shown; expected a text of 16 characters at least');
  });
});
