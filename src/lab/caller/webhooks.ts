/** The HTTP side of the simulated carrier: signed, form-encoded requests to the gateway, each with a deadline. */
import { messageOf, OffhookError } from '../../errors.ts';
import { twilioSignature } from './twilio-signature.ts';

/** Twilio gives a webhook 15 s. */
const DEADLINE_MS = 15_000;
const MAX_ANSWER_CHARACTERS = 65_536;

export interface Webhooks {
  /** The address that the gateway is known by to carriers; signatures are made for it. */
  readonly publicUrl: string;
  /** Posts a form to an address of the gateway, given as a path or as the full public address. */
  post(address: string, form: Readonly<Record<string, string>>): Promise<{ status: number; body: string }>;
  /** Where to really open an address that the gateway named, and how to sign the handshake. */
  streamAddress(named: string): { readonly dial: string; readonly signature: string };
}

/**
 * `url` is what is dialled, `publicUrl` what is signed: they differ when the gateway stands behind a proxy or tunnel
 * but is called directly.
 */
export function createWebhooks(options: {
  readonly url: string;
  readonly publicUrl: string;
  readonly authToken: string;
}): Webhooks {
  const dialOrigin = new URL(options.url);
  const publicOrigin = new URL(options.publicUrl);

  /** An address under the public origin is opened at the dialled one; any other as it is. */
  const toDial = (address: URL): URL => {
    if (address.host !== publicOrigin.host) return address;
    const dial = new URL(address);
    const secure = dialOrigin.protocol === 'https:';
    const isSocket = address.protocol.startsWith('ws');
    dial.protocol = isSocket ? (secure ? 'wss:' : 'ws:') : dialOrigin.protocol;
    dial.host = dialOrigin.host;
    // Setting `host` without a port leaves an old port in place.
    dial.port = dialOrigin.port;
    return dial;
  };

  return {
    publicUrl: publicOrigin.origin,
    async post(address, form) {
      const named = new URL(address, publicOrigin.origin);
      const dial = toDial(named);
      try {
        const response = await fetch(dial, {
          method: 'POST',
          redirect: 'manual',
          headers: {
            'content-type': 'application/x-www-form-urlencoded; charset=UTF-8',
            'user-agent': 'TwilioProxy/1.1',
            'x-twilio-signature': twilioSignature(options.authToken, named.href, form),
          },
          body: new URLSearchParams(form).toString(),
          signal: AbortSignal.timeout(DEADLINE_MS),
        });
        const body = (await response.text()).slice(0, MAX_ANSWER_CHARACTERS);
        return { status: response.status, body };
      } catch (caught) {
        const cause = caught instanceof Error && caught.cause !== undefined ? caught.cause : caught;
        throw new OffhookError(
          'ERR_CALL',
          `Cannot reach the gateway at "${dial.origin}": "${messageOf(cause)}"; a gateway that listens there is wanted.`,
          { cause: caught },
        );
      }
    },
    streamAddress(named) {
      return {
        dial: toDial(new URL(named)).href,
        signature: twilioSignature(options.authToken, named),
      };
    },
  };
}
