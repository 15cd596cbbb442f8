/** How a connection ends: the promise of `close`, over a socket that does as each test says. */
import type { Session } from '@google/genai';
import { expect, test } from 'vitest';
import { GeminiConnection, type Wire } from '../../src/gemini/connection.ts';
import { FAMILIES } from '../../src/gemini/families.ts';
import { VirtualClock } from '../../src/lab/virtual-clock.ts';

class FakeWire implements Wire {
  readonly isOpen = true;
  readonly bufferedBytes = 0;
  readonly asked: string[] = [];
  onTerminate: () => void = () => {};
  readonly #throws: boolean;
  constructor(throws: boolean) {
    this.#throws = throws;
  }
  sendFrame(): void {}
  close(): void {
    this.asked.push('close');
    if (this.#throws) throw new Error('close');
  }
  terminate(): void {
    this.asked.push('terminate');
    this.onTerminate();
    if (this.#throws) throw new Error('terminate');
  }
}

function setUp({ throws = false } = {}) {
  const clock = new VirtualClock();
  const wire = new FakeWire(throws);
  const connection = new GeminiConnection({
    session: {} as Session,
    wire,
    family: FAMILIES['3.8'],
    vadMode: 'auto',
    dropped: [],
    clock,
    onFault: () => {},
    onClosing: () => {},
  });
  let goneAtMs: number | null = null;
  const close = (graceMs?: number): Promise<void> => {
    const closed = connection.close(graceMs);
    void closed.then(() => {
      goneAtMs ??= clock.now();
    });
    return closed;
  };
  return { clock, wire, connection, close, goneAtMs: () => goneAtMs };
}

test('close resolves when the socket is gone, not before', async () => {
  const { clock, wire, connection, close, goneAtMs } = setUp();
  const closed = close(1_000);
  await clock.advanceAsync(999);
  expect([goneAtMs(), wire.asked]).toEqual([null, ['close']]);
  connection.socketClosed();
  await closed;
  expect(clock.pendingTimers).toBe(0);
  await clock.advanceAsync(10_000);
  expect(wire.asked).toEqual(['close']);
});

test.each([0, 1_000])(
  'after a grace of %i ms the socket is destroyed, and its end awaited',
  async (graceMs) => {
    const { clock, wire, connection, close, goneAtMs } = setUp();
    wire.onTerminate = () => void clock.setTimer(5, () => connection.socketClosed());
    const closed = close(graceMs);
    await clock.advanceAsync(graceMs);
    expect([goneAtMs(), wire.asked]).toEqual([null, ['close', 'terminate']]);
    await clock.advanceAsync(5);
    await closed;
    expect([goneAtMs(), clock.pendingTimers]).toEqual([graceMs + 5, 0]);
  },
);

test('a socket that never tells of its end holds nobody up for long, also one that throws', async () => {
  for (const throws of [false, true]) {
    const { clock, wire, close, goneAtMs } = setUp({ throws });
    void close(1_000);
    await clock.advanceAsync(1_249);
    expect(goneAtMs()).toBe(null);
    await clock.advanceAsync(1);
    expect([goneAtMs(), clock.pendingTimers]).toEqual([1_250, 0]);
    expect(wire.asked).toEqual(['close', 'terminate']);
  }
});

test('close again is the same close, and after the end it is over at once', async () => {
  const { clock, wire, connection, close } = setUp();
  const first = close(500);
  expect(close(0)).toBe(first);
  expect(wire.asked).toEqual(['close']);
  connection.socketClosed();
  await first;
  expect(connection.close()).toBe(first);

  const lost = setUp();
  lost.connection.socketClosed();
  await lost.close(60_000);
  expect([lost.wire.asked, lost.clock.pendingTimers, clock.pendingTimers]).toEqual([[], 0, 0]);
});
