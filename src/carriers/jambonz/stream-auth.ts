import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

/** HTTP Basic credentials for one stream's handshake. */
export interface StreamAuth {
  readonly username: string;
  readonly password: string;
}

const USERNAME = 'offhook';
const MAC_BYTES = 24;

/**
 * jambonz does not sign a stream's handshake; it sends the credentials that the answer document gave it. So that nothing
 * has to be remembered they are made of the stream's own path and the webhook secret: good for this one address, and
 * checked by any process that knows the secret.
 */
export function streamAuthOf(webhookSecret: string, streamPath: string): StreamAuth {
  const key = Buffer.from(hkdfSync('sha256', webhookSecret, '', 'offhook jambonz stream 1', 32));
  const mac = createHmac('sha256', key).update(streamPath).digest().subarray(0, MAC_BYTES);
  return { username: USERNAME, password: mac.toString('hex') };
}

/** @param authorization the header's value */
export function isStreamAuth(
  authorization: string,
  streamPath: string,
  webhookSecrets: readonly string[],
): boolean {
  const sent = Buffer.from(authorization);
  let matches = false;
  for (const secret of webhookSecrets) {
    if (secret === '') continue;
    const { username, password } = streamAuthOf(secret, streamPath);
    const wanted = Buffer.from(`Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`);
    if (sent.length === wanted.length && timingSafeEqual(sent, wanted)) matches = true;
  }
  return matches;
}
