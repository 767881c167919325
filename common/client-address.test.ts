import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { addressKey, canonicalAddress } from './client-address.ts';

describe('the address of a client', () => {
  it('has one spelling', () => {
    for (const [written, canonical] of [
      ['198.51.100.7', '198.51.100.7'],
      ['::ffff:198.51.100.7', '198.51.100.7'],
      ['::FFFF:c633:6407', '198.51.100.7'],
      ['0:0:0:0:0:ffff:198.51.100.7', '198.51.100.7'],
      ['2001:DB8:0:0::1', '2001:db8::1'],
      ['fe80::1%eth0', 'fe80::1'],
    ] as const)
      assert.equal(canonicalAddress(written), canonical, written);
  });

  it('is none where it has leading zeros, a port, or is a number or a name', () => {
    for (const text of [
      '',
      'unknown',
      '198.51.100.07',
      '0x7f.1',
      '3325256711',
      '1.2.3',
      '1.2.3.4:80',
      '[::1]',
    ])
      assert.equal(canonicalAddress(text), undefined, text);
  });

  it('counts by its /64 network where it is of IPv6', () => {
    assert.equal(addressKey('2001:db8:1:2:3:4:5:6'), addressKey('2001:0db8:0001:0002:ffff::'));
    assert.notEqual(addressKey('2001:db8:1:2::1'), addressKey('2001:db8:1:3::1'));
    assert.equal(addressKey('::ffff:198.51.100.7'), addressKey('198.51.100.7'));
    assert.notEqual(addressKey('198.51.100.7'), addressKey('198.51.100.8'));
  });

  it('counts as itself, cut, where it is none', () => {
    assert.equal(addressKey('unknown'), 'unknown');
    assert.equal(addressKey('x'.repeat(100)), 'x'.repeat(64));
  });
});
