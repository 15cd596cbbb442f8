/** One socket of a client: carries frames to its session and back, and wakes the session when something is due. */
import { WebSocket } from 'ws';
import type { Clock, Timer } from '../../clock.ts';
import type { EmulatorOutput, LiveSession } from './session.ts';
import { cutReason, encodeFrame } from './wire.ts';

/** A client that does not read is cut off before it fills the memory. */
const MAX_BUFFERED_BYTES = 32 * 1024 * 1024;
/** From our close frame to the end of a peer that does not answer it. */
const CLOSE_GRACE_MS = 2000;
/** A socket that nobody reads does not learn that its peer has gone; it is given up at last. */
export const FROZEN_LIMIT_MS = 600_000;
const MAX_WAITING_PONGS = 100;

/** Tells of the client's close frame when it comes: the end of the TCP connection is a moment later. */
export class ServedSocket extends WebSocket {
  override close(code?: number, data?: string | Buffer): void {
    this.emit('closing', code ?? 1005);
    super.close(code, data);
  }
}

/** @param first what the session wanted of the socket before there was one */
export function serveConnection(
  socket: ServedSocket,
  session: LiveSession,
  clock: Clock,
  log: (line: string) => void,
  first: readonly EmulatorOutput[] = [],
): void {
  let wake: Timer | null = null;
  let wakeAtMs: number | null = null;
  let grace: Timer | null = null;
  let frozen: Timer | null = null;
  let pongDelayMs = 0;
  let isClosedByUs = false;
  const pongs = new Set<Timer>();

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
    isClosedByUs = true;
    socket.close(code, cutReason(reason));
    grace ??= clock.setTimer(CLOSE_GRACE_MS, () => socket.terminate());
  };
  const send = (data: Buffer | string): void => {
    if (socket.readyState !== socket.OPEN) return;
    socket.send(data, { binary: session.frameStyle.frame === 'binary' });
    if (socket.bufferedAmount > MAX_BUFFERED_BYTES) socket.terminate();
  };
  const freeze = (): void => {
    socket.pause();
    frozen ??= clock.setTimer(FROZEN_LIMIT_MS, () => socket.terminate());
  };
  const thaw = (): void => {
    frozen?.cancel();
    frozen = null;
    socket.resume();
  };
  const deliver = (output: EmulatorOutput): void => {
    if ('send' in output) send(encodeFrame(output.send, session.frameStyle));
    else if ('sendRaw' in output) send(output.sendRaw);
    else if ('close' in output) close(output.close, output.reason);
    else if ('cut' in output) socket.terminate();
    else if ('freeze' in output) freeze();
    else if ('thaw' in output) thaw();
    else if ('pongDelayMs' in output) pongDelayMs = output.pongDelayMs;
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
  const pong = (data: Buffer): void => {
    if (socket.readyState === socket.OPEN) socket.pong(data);
  };

  socket.on('message', (data) => {
    const bytes = Array.isArray(data) ? Buffer.concat(data) : (data as Buffer);
    guard(() => session.receive(bytes, clock.now()));
  });
  socket.on('ping', (data) => {
    if (pongDelayMs === 0) return pong(data);
    if (pongs.size >= MAX_WAITING_PONGS) return;
    const timer = clock.setTimer(pongDelayMs, () => {
      pongs.delete(timer);
      pong(data);
    });
    pongs.add(timer);
  });
  // A client that waits for our close frame may be back with its handle before its socket has ended.
  socket.on('closing', (code: number) => {
    if (!isClosedByUs) session.disconnected(true, code, clock.now());
  });
  socket.on('error', (error) => log(`a client's socket: ${error.message}`));
  socket.on('close', (code) => {
    wake?.cancel();
    grace?.cancel();
    frozen?.cancel();
    for (const timer of pongs) timer.cancel();
    session.disconnected(code !== 1006, code, clock.now());
  });
  guard(() => first);
}
