import { describe, expect, test } from 'vitest';
import { Keys } from '../../src/call/keys.ts';

function desk() {
  const log = {
    told: [] as string[],
    given: 0,
    reported: [] as string[],
    dueMs: null as number | null,
    takes: true,
  };
  const keys = new Keys({
    arm: (dueMs) => {
      log.dueMs = dueMs;
    },
    cancel: () => {
      log.dueMs = null;
    },
    tell: (text) => {
      if (log.takes) log.told.push(text.slice(text.lastIndexOf(' ') + 1));
      return log.takes;
    },
    onGiven: () => {
      log.given += 1;
    },
    onTold: (told) => log.reported.push(told),
  });
  return { keys, log };
}

describe('keys', () => {
  test('are one text when # ends them', () => {
    const { keys, log } = desk();
    for (const digit of '42#') keys.press(digit, 100);
    expect(log.told).toEqual(['42#']);
    expect(log.dueMs).toBeNull();
    keys.due();
    expect(log.told).toHaveLength(1);
  });

  test('are one text 1.5 s after the last of them', () => {
    const { keys, log } = desk();
    keys.press('4', 100);
    expect(log.dueMs).toBe(1_600);
    keys.press('2', 900);
    expect(log.dueMs).toBe(2_400);
    expect(log.told).toEqual([]);
    keys.due();
    expect(log.told).toEqual(['42']);
  });

  test('that no connection takes are told to the next, in one text, once', () => {
    const { keys, log } = desk();
    log.takes = false;
    for (const digit of '1#2#') keys.press(digit, 100);
    expect(log.given).toBe(2);
    expect(log.reported).toEqual([]);
    log.takes = true;
    keys.connectionReady();
    keys.connectionReady();
    expect(log.told).toEqual(['1#2#']);
    expect(log.reported).toEqual(['1#2#']);
    expect(log.given).toBe(2);
  });

  test('are reported as told when a connection has taken them, and not before', () => {
    const { keys, log } = desk();
    keys.press('7', 100);
    expect(log.given).toBe(0);
    keys.due();
    expect([log.given, log.reported]).toEqual([1, ['7']]);
  });

  test('that wait go on waiting when the next connection does not take them either, and stay bounded', () => {
    const { keys, log } = desk();
    log.takes = false;
    for (let i = 0; i < 100; i++) for (const digit of '123#') keys.press(digit, 100);
    keys.connectionReady();
    log.takes = true;
    keys.connectionReady();
    expect(log.told).toHaveLength(1);
    expect(log.told[0]).toHaveLength(64);
    expect(log.told[0]!.endsWith('123#')).toBe(true);
  });

  test('are nothing when none was pressed', () => {
    const { keys, log } = desk();
    keys.due();
    keys.connectionReady();
    expect(log).toMatchObject({ told: [], given: 0 });
  });
});
