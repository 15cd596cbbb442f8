/** One socket of a client: carries frames to its session and back, and wakes the session when something is due. */
import type { WebSocket } from 'ws';
import type { Clock, Timer } from '../../clock.ts';
import type { EmulatorOutput, LiveSession } from './session.ts';
import { cutReason, encodeFrame } from './wire.ts';

/** A client that does not read is cut off before it fills the memory. */
const MAX_BUFFERED_BYTES = 32 * 1024 * 1024;
/** From our close frame to the end of a peer that does not answer it. */
const CLOSE_GRACE_MS = 2000;

export function serveConnection(
  socket: WebSocket,
  session: LiveSession,
  clock: Clock,
  log: (line: string) => void,
): void {
  let wake: Timer | null = null;
  let wakeAtMs: number | null = null;
  let grace: Timer | null = null;

  const arm = (): void => {
    const dueMs = session.nextDueMs;
    if (dueMs === wakeAtMs) return;
    wake?.cancel();
    wakeAtMs = dueMs;
    wake = dueMs === null ? null : clock.setTimer(Math.max(0, dueMs - clock.now()), onWake);
  };
  const onWake = (): void => {
    wakeAtMs = null;
    guard(() => session.tick(clock.now()));
  };
  const close = (code: number, reason: string): void => {
    socket.close(code, cutReason(reason));
    grace ??= clock.setTimer(CLOSE_GRACE_MS, () => socket.terminate());
  };
  const deliver = (output: EmulatorOutput): void => {
    if ('cut' in output) socket.terminate();
    else if ('close' in output) close(output.close, output.reason);
    else if (socket.readyState === socket.OPEN) {
      const style = session.frameStyle;
      socket.send(encodeFrame(output.send, style), { binary: style.frame === 'binary' });
      if (socket.bufferedAmount > MAX_BUFFERED_BYTES) socket.terminate();
    }
  };
  const guard = (act: () => readonly EmulatorOutput[]): void => {
    try {
      for (const output of act()) deliver(output);
      arm();
    } catch (error) {
      // A fault of ours ends this connection and no other.
      log(`a session failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      close(1011, 'Internal error encountered.');
    }
  };

  socket.on('message', (data) => {
    const bytes = Array.isArray(data) ? Buffer.concat(data) : (data as Buffer);
    guard(() => session.receive(bytes, clock.now()));
  });
  socket.on('error', (error) => log(`a client's socket: ${error.message}`));
  socket.on('close', (code) => {
    wake?.cancel();
    grace?.cancel();
    session.disconnected(code !== 1006, code, clock.now());
  });
  arm();
}
