/** The HTTP side of a simulated carrier: requests to the gateway, each with a deadline. Who signs what is the carrier's own. */
import { messageOf, OffhookError } from '../../errors.ts';

/** Twilio gives a webhook 15 s, and nobody more. */
const DEADLINE_MS = 15_000;
const MAX_ANSWER_CHARACTERS = 65_536;

export interface GatewayRequest {
  readonly method?: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface GatewayAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export interface GatewayHttp {
  /** The origin that the gateway is known by to carriers; what is signed over an address is signed over this one. */
  readonly publicUrl: string;
  /** The full public address of a path, or of an address that the gateway named. */
  named(address: string): string;
  /** Where an address that the gateway named is really opened. */
  dialled(address: string): string;
  /** `make` gets the full public address. @throws OffhookError ERR_CALL when nobody answers */
  ask(address: string, make: (named: string) => GatewayRequest): Promise<GatewayAnswer>;
}

/**
 * `url` is what is dialled, `publicUrl` what is signed: they differ when the gateway stands behind a proxy or tunnel
 * but is called directly.
 */
export function createGatewayHttp(options: {
  readonly url: string;
  readonly publicUrl: string;
}): GatewayHttp {
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
  const named = (address: string): string => new URL(address, publicOrigin.origin).href;

  return {
    publicUrl: publicOrigin.origin,
    named,
    dialled: (address) => toDial(new URL(named(address))).href,
    async ask(address, make) {
      const dial = toDial(new URL(named(address)));
      const { method = 'POST', headers, body } = make(named(address));
      try {
        const response = await fetch(dial, {
          method,
          redirect: 'manual',
          headers,
          ...(body === undefined ? {} : { body }),
          signal: AbortSignal.timeout(DEADLINE_MS),
        });
        const text = (await response.text()).slice(0, MAX_ANSWER_CHARACTERS);
        return {
          status: response.status,
          contentType: response.headers.get('content-type') ?? '',
          body: text,
        };
      } catch (caught) {
        const cause = caught instanceof Error && caught.cause !== undefined ? caught.cause : caught;
        throw new OffhookError(
          'ERR_CALL',
          `Cannot reach the gateway at "${dial.origin}": "${messageOf(cause)}"; a gateway that listens there is wanted.`,
          { cause: caught },
        );
      }
    },
  };
}

/** @throws OffhookError ERR_CALL when the webhook for a new call was not answered with 200 */
export function expectAnswer(answer: GatewayAnswer, refusal: number): void {
  if (answer.status === 200) return;
  const why =
    answer.status === refusal
      ? ` (${refusal}: the signature does not fit; check the credentials and the public URL).`
      : '.';
  throw new OffhookError(
    'ERR_CALL',
    `Cannot place the call: the gateway's webhook answered "${answer.status}"; 200 is wanted${why}`,
  );
}

/** @throws OffhookError ERR_CALL */
export function notADocument(answer: GatewayAnswer, wanted: string): never {
  throw new OffhookError(
    'ERR_CALL',
    `Cannot place the call: the webhook answered "${answer.body.slice(0, 60)}"; ${wanted} is wanted.`,
  );
}
