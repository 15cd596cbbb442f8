import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocketServer } from 'ws';
import type { Clock } from '../clock.ts';

/**
 * Destroys the connection of every upgrade request that has not become a web socket within `deadlineMs`. From the
 * request on Node counts such a connection as no HTTP connection any more: none of its timeouts applies, and closing
 * the server does not end it. Fastify's own refusals (an address that is too long, or cannot be decoded) answer and
 * leave it open for as long as the peer likes.
 *
 * @returns ends all that are waiting, for the closing of the server
 */
export function guardUpgrades(
  server: Server,
  sockets: WebSocketServer,
  clock: Clock,
  deadlineMs: number,
): () => void {
  const settle = new Map<Duplex, () => void>();
  server.prependListener('upgrade', (_request: IncomingMessage, socket: Duplex) => {
    const timer = clock.setTimer(deadlineMs, () => socket.destroy());
    settle.set(socket, () => {
      timer.cancel();
      settle.delete(socket);
    });
    socket.once('close', () => settle.get(socket)?.());
  });
  sockets.on('connection', (_ws, request: IncomingMessage) => settle.get(request.socket)?.());
  return () => {
    for (const socket of [...settle.keys()]) socket.destroy();
  };
}
