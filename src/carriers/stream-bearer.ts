import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { CarrierId } from './carrier.ts';

/**
 * What a carrier is told to show at a stream's handshake, where it can be told: a MAC over the stream's path. It holds
 * no state, so any process with the carrier's credentials can check it, and it does not stand in the address, so whoever
 * sees addresses only (a proxy's log) cannot open the stream.
 *
 * @param secret one of the carrier's credentials; the bearer says nothing about signatures made with it
 * @returns 64 lower-case hex digits
 */
export function streamBearer(carrier: CarrierId, secret: string, streamPath: string): string {
  const key = Buffer.from(hkdfSync('sha256', secret, '', `offhook stream bearer 1 ${carrier}`, 32));
  return createHmac('sha256', key).update(streamPath).digest('hex');
}

/** Any of the secrets may have made it, so that credentials can be rotated while calls come in. Never throws. */
export function isStreamBearer(
  carrier: CarrierId,
  secrets: readonly string[],
  streamPath: string,
  shown: string,
): boolean {
  if (!/^[0-9a-f]{64}$/.test(shown)) return false;
  const found = Buffer.from(shown, 'latin1');
  let matches = false;
  for (const secret of secrets) {
    // An empty key is one that everybody has.
    if (secret === '') continue;
    if (timingSafeEqual(found, Buffer.from(streamBearer(carrier, secret, streamPath), 'latin1')))
      matches = true;
  }
  return matches;
}
