import fc from 'fast-check';
import { addressKey } from '../../packages/core/src/http/address.js';

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:192.0.2.1', '192.0.2.1'],
  ['::ffff:c000:201', '192.0.2.1'],
  ['0:0:0:0:0:ffff:c000:201', '192.0.2.1'],
])('%s is the IPv4 address %s, whatever the prefix', (ip, key) => {
  for (const prefix of [32, 56, 128]) expect(addressKey(ip, prefix)).toBe(key);
});

test.each([
  ['2001:db8:1:2:3:4:5:6', 128, '2001:db8:1:2:3:4:5:6/128'],
  ['2001:db8:1:2:3:4:5:6', 64, '2001:db8:1:2::/64'],
  ['2001:db8:1:2ff:3:4:5:6', 56, '2001:db8:1:200::/56'],
  ['2001:db8:ffff:2::1', 33, '2001:db8:8000::/33'],
  ['2001:db8:1:2:3:4:5:6', 32, '2001:db8::/32'],
  ['::1', 56, '::/56'],
  ['fe80::1%eth0', 64, 'fe80::/64'],
])('%s by %d bits is %s', (ip, prefix, key) => {
  expect(addressKey(ip, prefix)).toBe(key);
});

test.each([
  ['192.0.2.1:5001', '192.0.2.1'],
  ['[2001:db8::1]:443', '2001:db8::/64'],
  ['[2001:db8::1]', '2001:db8::/64'],
  ['[::ffff:192.0.2.1]:80', '192.0.2.1'],
  ['1.2.3:80', undefined],
  ['[garbage]:80', undefined],
])('%s, as some proxies tell it, is %s', (ip, key) => {
  expect(addressKey(ip, 64)).toBe(key);
});

test('every spelling of an IPv6 address is the same', () => {
  const spellings = [
    '2001:db8::8:800:200c:417a',
    '2001:DB8:0:0:8:800:200C:417A',
    '2001:0db8:0000::0008:0800:200c:417a',
  ];
  for (const prefix of [32, 56, 64, 128]) expect(new Set(spellings.map((ip) => addressKey(ip, prefix))).size).toBe(1);
});

test.each(['', ' ', 'garbage', '999.1.1.1', '1.2.3.4.5', '::g', ':::', 'a:b', 'x'.repeat(1000), '1.2.3.4, 5.6.7.8'])(
  '%j is no address',
  (ip) => {
    expect(addressKey(ip, 56)).toBeUndefined();
  },
);

test('where there is none there is none', () => {
  expect(addressKey(undefined, 56)).toBeUndefined();
});

test('any text is a key of bounded length or none, never an error', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f:.%/]{0,45}$/)),
      fc.integer({ min: 32, max: 128 }),
      (ip, prefix) => {
        expect((addressKey(ip, prefix) ?? '').length).toBeLessThan(64);
      },
    ),
  );
});

test('two IPv6 addresses are one key if and only if their first bits are the same', () => {
  const bits = fc.array(fc.boolean(), { minLength: 128, maxLength: 128 });
  const text = (bits: readonly boolean[]) =>
    Array.from({ length: 8 }, (_, i) => {
      const group = bits.slice(i * 16, i * 16 + 16);
      return group.reduce((value, bit) => value * 2 + Number(bit), 0).toString(16);
    }).join(':');
  fc.assert(
    // Beginning with 001, as global addresses do, so that none is an IPv4 address in disguise.
    fc.property(bits, fc.nat(127), fc.integer({ min: 32, max: 128 }), (random, flipped, prefix) => {
      const one = [false, false, true, ...random.slice(3)];
      const other = one.map((bit, i) => (i === Math.max(3, flipped) ? !bit : bit));
      const same = Math.max(3, flipped) >= prefix;
      expect(addressKey(text(one), prefix) === addressKey(text(other), prefix)).toBe(same);
    }),
  );
});
