/** Reads the call control objects that a simulated call obeys. Source: Vonage, "NCCO reference". */

export type NccoAction =
  | {
      readonly action: 'websocket';
      readonly uri: string;
      readonly sampleRate: 8000 | 16000 | 24000;
      /** Copied into the first message on the socket. */
      readonly headers: Readonly<Record<string, unknown>>;
      /** `vonage`: a signed token; otherwise the header's very value; null: none. */
      readonly authorization: 'vonage' | { readonly value: string } | null;
      /** Asked with every change of the endpoint's, and its answer replaces this document; null: nobody is asked. */
      readonly eventUrl: string | null;
    }
  | { readonly action: 'phone'; readonly number: string; readonly eventUrl: string | null }
  | { readonly action: 'talk'; readonly text: string }
  | { readonly action: 'other'; readonly name: string }
  /** What Vonage would refuse. */
  | { readonly action: 'invalid'; readonly why: string };

const MOST_HEADER_BYTES = 512;
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Null when it is no list of actions. Never throws. */
export function parseNcco(document: string | unknown): readonly NccoAction[] | null {
  let actions: unknown = document;
  if (typeof document === 'string') {
    try {
      actions = JSON.parse(document);
    } catch {
      return null;
    }
  }
  if (!Array.isArray(actions) || !actions.every(isRecord)) return null;
  return actions.map(readAction);
}

function readAction(action: Record<string, unknown>): NccoAction {
  if (action['action'] === 'talk') return { action: 'talk', text: String(action['text'] ?? '') };
  if (action['action'] !== 'connect') return { action: 'other', name: String(action['action']) };
  const { endpoint } = action;
  if (!Array.isArray(endpoint) || endpoint.length !== 1 || !isRecord(endpoint[0])) {
    return invalid('"connect" wants exactly one endpoint');
  }
  const eventUrl = readEventUrl(action);
  const [target] = endpoint;
  if (target['type'] === 'phone') {
    const number = String(target['number'] ?? '');
    return /^\d{5,15}$/.test(number)
      ? { action: 'phone', number, eventUrl }
      : invalid('a phone endpoint wants its number in digits, without "+"');
  }
  return target['type'] === 'websocket'
    ? readWebsocket(target, eventUrl)
    : invalid('an endpoint of an unknown type');
}

function readWebsocket(target: Record<string, unknown>, eventUrl: string | null): NccoAction {
  const { uri, headers = {}, authorization } = target;
  if (typeof uri !== 'string' || !/^wss?:\/\//.test(uri))
    return invalid('a websocket endpoint without a uri');
  const [, rate] = /^audio\/l16;rate=(8000|16000|24000)$/.exec(String(target['content-type'])) ?? [];
  if (rate === undefined) return invalid('a content-type that is not audio/l16 of 8, 16 or 24 kHz');
  if (!isRecord(headers)) return invalid('headers that are no object');
  if (Buffer.byteLength(JSON.stringify(headers)) > MOST_HEADER_BYTES) {
    return invalid(`headers of more than ${MOST_HEADER_BYTES} bytes`);
  }
  let credentials: 'vonage' | { value: string } | null = null;
  if (isRecord(authorization)) {
    if (authorization['type'] === 'vonage') credentials = 'vonage';
    else if (authorization['type'] === 'custom' && typeof authorization['value'] === 'string') {
      credentials = { value: authorization['value'] };
    } else return invalid('an authorization of an unknown type');
  }
  const sampleRate = Number(rate) as 8000 | 16000 | 24000;
  return { action: 'websocket', uri, sampleRate, headers, authorization: credentials, eventUrl };
}

function readEventUrl(action: Record<string, unknown>): string | null {
  const { eventUrl, eventType } = action;
  const [first] = Array.isArray(eventUrl) ? eventUrl : [];
  return eventType === 'synchronous' && typeof first === 'string' ? first : null;
}

const invalid = (why: string): NccoAction => ({ action: 'invalid', why });
