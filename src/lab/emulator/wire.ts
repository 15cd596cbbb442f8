/** The emulator's side of the wire: addresses, frames and closes, as Google's server has been seen to make them. */

/**
 * Where Gemini Live listens. A prefix and doubled slashes are let through because the SDK's base URL handling makes
 * them (`//ws/…`, `/prefix//ws/…`), and Google's own server takes them.
 */
const LIVE_PATH =
  /^\/+(?:[\w.~-]+\/+)*?ws\/google\.ai\.generativelanguage\.(v1|v1beta|v1alpha)\.GenerativeService\.BidiGenerateContent(Constrained)?$/;

/** Google Cloud's name for the same service. */
const VERTEX_PATH =
  /^\/+(?:[\w.~-]+\/+)*?ws\/google\.cloud\.aiplatform\.(v1|v1beta1)\.LlmBidiService\/BidiGenerateContent$/;

export interface LiveAddress {
  readonly apiVersion: string;
  readonly vertex: boolean;
  /** What the client authenticates with; null when it brought nothing. */
  readonly key: string | null;
}

/** Reads an upgrade request's target; null when it names nothing that this server has. Never throws. */
export function parseLiveAddress(
  target: string,
  headers: Readonly<Record<string, string | readonly string[] | undefined>> = {},
): LiveAddress | null {
  const question = target.indexOf('?');
  const path = question < 0 ? target : target.slice(0, question);
  const query = new URLSearchParams(question < 0 ? '' : target.slice(question + 1));
  const gemini = LIVE_PATH.exec(path);
  const vertex = gemini === null ? VERTEX_PATH.exec(path) : null;
  const apiVersion = gemini?.[1] ?? vertex?.[1];
  if (apiVersion === undefined) return null;
  const given = query.get('key') ?? query.get('access_token');
  const fromHeader = headers['x-goog-api-key'] ?? (vertex === null ? undefined : headers['authorization']);
  const key = given ?? (typeof fromHeader === 'string' ? fromHeader : null);
  return { apiVersion, vertex: vertex !== null, key: key === null || key === '' ? null : key };
}

/** WebSocket close reasons hold at most 123 bytes; Google's longer texts arrive cut, so ours do as well. */
export function cutReason(reason: string): string {
  const bytes = Buffer.from(reason, 'utf8');
  if (bytes.length <= 123) return reason;
  let end = 123;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}

export interface FrameStyle {
  /** Google sends binary frames; one of its documents calls them text. */
  readonly frame: 'binary' | 'text';
  /** Recordings show two spaces of indent and a newline at the end. */
  readonly pretty: boolean;
}

/** Frames of messages that are sent again and again (a clip's chunks), so that a load test encodes each only once. */
const encodedFrames = new WeakMap<object, { readonly pretty: boolean; readonly bytes: Buffer }>();
const reusable = new WeakSet<object>();

/** Says that this message is never changed and will be sent to many. */
export function markReusable<T extends object>(message: T): T {
  reusable.add(message);
  return message;
}

export function encodeFrame(message: object, style: FrameStyle): Buffer {
  const known = encodedFrames.get(message);
  if (known !== undefined && known.pretty === style.pretty) return known.bytes;
  const text = style.pretty ? `${JSON.stringify(message, null, 2)}\n` : JSON.stringify(message);
  const bytes = Buffer.from(text, 'utf8');
  if (reusable.has(message)) encodedFrames.set(message, { pretty: style.pretty, bytes });
  return bytes;
}
