/** The socket of a simulated media stream: opened with the carrier's credentials, and never left open. */
import { WebSocket } from 'ws';
import type { Clock } from '../../clock.ts';
import { messageOf, OffhookError } from '../../errors.ts';

/** Twilio gives a stream's handshake 5 s. */
const HANDSHAKE_MS = 5_000;
const CLOSE_GRACE_MS = 1_000;
const MAX_MESSAGE_BYTES = 1_048_576;

export interface StreamAddress {
  readonly dial: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Subprotocols that the carrier asks for, the preferred one first. */
  readonly protocols: readonly string[];
}

/** @throws OffhookError ERR_CALL when the upgrade is refused, nobody answers, or an asked-for subprotocol is not taken */
export function openStreamSocket(address: StreamAddress): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(address.dial, [...address.protocols], {
      headers: { ...address.headers },
      handshakeTimeout: HANDSHAKE_MS,
      maxPayload: MAX_MESSAGE_BYTES,
      perMessageDeflate: false,
    });
    socket.once('open', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', (error) => {
      reject(
        new OffhookError(
          'ERR_CALL',
          `Cannot open the call's stream: "${messageOf(error)}"; a WebSocket upgrade (101) is wanted.`,
          { cause: error },
        ),
      );
    });
  });
}

/** Asks to close, and cuts the connection when the other side does not agree soon. */
export function closeSoon(socket: WebSocket, clock: Clock): void {
  if (socket.readyState === WebSocket.CLOSED) return;
  socket.close(1000);
  const kill = clock.setTimer(CLOSE_GRACE_MS, () => socket.terminate());
  socket.once('close', () => kill.cancel());
}
