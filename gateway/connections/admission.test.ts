import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { Admission, type Member } from './admission.ts';
import { Census } from './census.ts';

const LIMITS = { connections: 10, undecidedConnections: 6, connectionsPerAddress: 5, undecidedPerAddress: 3 };

describe('the connections that there may be', () => {
  /** What was cut is kept by name. */
  function open(limits = LIMITS) {
    const admission = new Admission(limits);
    const cut: string[] = [];
    let count = 0;
    const enter = (key: string | undefined, isDecided = false) => {
      const name = `${key ?? 'proxy'} ${++count}`;
      const member: Member = { key, cut: () => cut.push(name) };
      const isIn = admission.admit(member);
      if (isIn && isDecided) admission.decided(member);
      return { member, isIn };
    };
    return { admission, cut, enter };
  }

  it('end the oldest silent one of an address that has too many of them', () => {
    const { cut, enter } = open();
    for (let i = 0; i < 5; i++) assert.ok(enter('a').isIn);
    assert.deepEqual(cut, ['a 1', 'a 2']);
  });

  it('end a silent one of the fullest address where there are too many of them in all', () => {
    const { cut, enter } = open();
    for (const key of ['a', 'a', 'a', 'b', 'b', 'c', 'd']) assert.ok(enter(key).isIn);
    assert.deepEqual(cut, ['a 1']);
  });

  it('are refused to an address that has enough, unless one of its own is silent', () => {
    const { cut, enter } = open();
    for (let i = 0; i < 5; i++) enter('a', true);
    assert.equal(enter('a').isIn, false);
    assert.ok(enter('b').isIn);
    const { enter: again, cut: cutAgain } = open();
    again('a');
    for (let i = 0; i < 4; i++) again('a', true);
    assert.ok(again('a').isIn);
    assert.deepEqual([cut, cutAgain], [[], ['a 1']]);
  });

  it('end the newest one of the fullest address where there are too many in all', () => {
    const { cut, enter } = open();
    for (const key of ['a', 'a', 'a', 'a', 'b', 'b', 'b', 'c', 'c', 'd']) assert.ok(enter(key, true).isIn);
    assert.ok(enter('e', true).isIn);
    assert.deepEqual(cut, ['a 4']);
  });

  it('are refused when all addresses have equally many', () => {
    const { cut, enter } = open({ ...LIMITS, connections: 2 });
    enter('a', true);
    enter('b', true);
    assert.equal(enter('c').isIn, false);
    assert.deepEqual(cut, []);
  });

  it('of proxies and services count in the total alone', () => {
    const { admission, cut, enter } = open();
    for (let i = 0; i < 9; i++) assert.ok(enter(undefined, true).isIn);
    const { member } = enter('a', true);
    admission.exempt(member);
    assert.equal(admission.open, 10);
    assert.equal(enter('a').isIn, false);
    admission.leave(member);
    assert.ok(enter('a').isIn);
    assert.deepEqual(cut, []);
  });

  it('count by the address that a proxy names', () => {
    const { admission, enter } = open();
    for (let i = 0; i < 5; i++) {
      const { member } = enter(undefined);
      assert.ok(admission.name(member, 'a'));
      admission.decided(member);
    }
    const { member } = enter(undefined);
    assert.equal(admission.name(member, 'a'), false);
    assert.equal(admission.open, 5);
  });

  it('are never more than the limits say, and none is refused without a reason', () => {
    const step = fc.record({
      key: fc.constantFrom('a', 'b', 'c', undefined),
      isDecided: fc.boolean(),
      leaves: fc.nat(20),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const admission = new Admission(LIMITS);
        const members = new Set<Member & { isUndecided: boolean }>();
        const of = (key: string | undefined) => [...members].filter((one) => one.key === key);
        for (const { key, isDecided, leaves } of steps) {
          const leaver = [...members][leaves];
          if (leaver !== undefined && leaves % 2 === 0) {
            members.delete(leaver);
            admission.leave(leaver);
          }
          const before = { own: of(key).length, all: members.size };
          const fullest = Math.max(0, ...['a', 'b', 'c'].map((other) => of(other).length));
          const member = { key, isUndecided: true, cut: () => members.delete(member) };
          const isIn = admission.admit(member);
          if (isIn) members.add(member);
          const isFull =
            before.all >= LIMITS.connections && fullest <= (key === undefined ? 1 : before.own + 1);
          const hasEnough = key !== undefined && before.own >= LIMITS.connectionsPerAddress;
          const undecided = [...members].filter((one) => one.isUndecided);
          assert.ok(isIn || isFull || hasEnough || undecided.length >= LIMITS.undecidedConnections);
          if (isIn && isDecided) {
            member.isUndecided = false;
            admission.decided(member);
          }
          assert.equal(admission.open, members.size);
          assert.ok(members.size <= LIMITS.connections);
          assert.ok([...members].filter((one) => one.isUndecided).length <= LIMITS.undecidedConnections);
          for (const one of ['a', 'b', 'c']) {
            assert.ok(of(one).length <= LIMITS.connectionsPerAddress);
            assert.ok(of(one).filter((m) => m.isUndecided).length <= LIMITS.undecidedPerAddress);
          }
        }
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});

describe('a census', () => {
  it('has a largest group at hand while members come and go', () => {
    const step = fc.record({
      key: fc.constantFrom('a', 'b', 'c', 'd'),
      member: fc.nat(5),
      isIn: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const census = new Census<number>();
        const model = new Map<string, Set<number>>();
        for (const { key, member, isIn } of steps) {
          const group = model.get(key) ?? new Set();
          model.set(key, group);
          if (isIn) group.add(member);
          else group.delete(member);
          if (isIn) census.add(key, member);
          else census.remove(key, member);
          assert.equal(census.fullest().size, Math.max(...[...model.values()].map(({ size }) => size)));
          assert.deepEqual([...census.of(key)], [...group]);
        }
      }),
      { seed: 1 },
    );
  });
});
