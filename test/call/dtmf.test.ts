import { expect, test } from 'vitest';
import { DtmfCollector } from '../../src/call/dtmf.ts';

test('keys are collected until the hash, which ends them', () => {
  const keys = new DtmfCollector();
  expect([...'4711'].map((digit) => keys.press(digit))).toEqual([null, null, null, null]);
  expect(keys.press('#')).toBe('4711#');
  expect(keys.take()).toBe('');
});

test('a pause ends them as well, and what follows begins anew', () => {
  const keys = new DtmfCollector();
  keys.press('1');
  keys.press('*');
  expect(keys.take()).toBe('1*');
  expect(keys.take()).toBe('');
  expect(keys.press('2')).toBeNull();
  expect(keys.take()).toBe('2');
});

test('a stuck key does not grow without a bound: the newest 64 count', () => {
  const keys = new DtmfCollector();
  for (let i = 0; i < 10_000; i++) keys.press(String(i % 10));
  expect(keys.take()).toBe(`${'6789012345'.repeat(6)}6789`);
});
