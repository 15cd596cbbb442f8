/**
 * Telnyx's signature as the caller's side makes it. Source: Telnyx, "Webhook fundamentals": Ed25519 over the time stamp in
 * seconds, a bar, and the body as it is; base64.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';

export interface TelnyxKeys {
  readonly privateKey: KeyObject;
  /** As the portal shows it: the base64 of 32 bytes. */
  readonly publicKey: string;
}

/** What stands before the 32 bytes of an Ed25519 key in PKCS #8. */
const PKCS8_PREFIX = '302e020100300506032b657004220420';

/** The same keys for the same words, so that a gateway and a simulated caller agree on them without a file. */
export function telnyxKeys(words: string): TelnyxKeys {
  return telnyxKeysOf(createHash('sha256').update(`simulated telnyx ${words}`).digest());
}

/** @param seed 32 bytes */
export function telnyxKeysOf(seed: Buffer): TelnyxKeys {
  const der = Buffer.concat([Buffer.from(PKCS8_PREFIX, 'hex'), seed]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return { privateKey, publicKey: spki.subarray(spki.length - 32).toString('base64') };
}

export function telnyxHeaders(
  privateKey: KeyObject,
  body: string,
  epochMs: number,
): { 'telnyx-signature-ed25519': string; 'telnyx-timestamp': string } {
  const timestamp = String(Math.floor(epochMs / 1_000));
  const signature = sign(null, Buffer.from(`${timestamp}|${body}`), privateKey);
  return { 'telnyx-signature-ed25519': signature.toString('base64'), 'telnyx-timestamp': timestamp };
}
