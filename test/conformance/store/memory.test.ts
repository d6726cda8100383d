import { memoryStore } from '@tollgate/core';
import { storeContract } from './store-contract.js';

storeContract('memoryStore()', () => memoryStore());
storeContract('memoryStore() with another bound', () => memoryStore({ maxKeys: 64 }));

describe('memoryStore', () => {
  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('refuses a bound of %p', (maxKeys) => {
    expect(() => memoryStore({ maxKeys })).toThrow(RangeError);
  });
});
