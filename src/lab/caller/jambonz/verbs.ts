/** Reads the verbs that a simulated call obeys. Source: jambonz, "Webhooks": a list of objects with a `verb` each. */

export interface ListenVerb {
  readonly verb: 'listen';
  readonly url: string;
  readonly actionHook: string | null;
  /** Of the caller's audio; hertz. */
  readonly sampleRate: number;
  /** Of what the gateway sends. */
  readonly bidirectionalRate: number;
  /** False: audio that is sent raw is not played. */
  readonly isStreaming: boolean;
  readonly passDtmf: boolean;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly credentials: { readonly username: string; readonly password: string } | null;
}

export type JambonzVerb =
  | ListenVerb
  | { readonly verb: 'dial'; readonly target: string; readonly actionHook: string | null }
  | { readonly verb: 'say'; readonly text: string }
  | { readonly verb: 'redirect'; readonly actionHook: string }
  | { readonly verb: 'dtmf'; readonly digits: string }
  | { readonly verb: 'hangup' }
  | { readonly verb: 'other'; readonly name: string };

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Null when it is no list of verbs. Never throws. */
export function parseVerbs(document: string): readonly JambonzVerb[] | null {
  let list: unknown;
  try {
    list = JSON.parse(document);
  } catch {
    return null;
  }
  if (!Array.isArray(list) || !list.every((item) => isRecord(item) && typeof item['verb'] === 'string')) {
    return null;
  }
  return (list as Record<string, unknown>[]).map(readVerb);
}

function readVerb(verb: Record<string, unknown>): JambonzVerb {
  switch (verb['verb']) {
    case 'listen':
    case 'stream':
      return readListen(verb);
    case 'dial': {
      const [target] = Array.isArray(verb['target']) ? (verb['target'] as unknown[]) : [];
      const number = isRecord(target) ? textOf(target['number'] ?? target['sipUri'] ?? target['name']) : '';
      return { verb: 'dial', target: number, actionHook: textOf(verb['actionHook']) || null };
    }
    case 'say':
      return { verb: 'say', text: textOf(verb['text']) };
    case 'redirect':
      return { verb: 'redirect', actionHook: textOf(verb['actionHook']) };
    case 'dtmf':
      return { verb: 'dtmf', digits: textOf(verb['dtmf']) };
    case 'hangup':
      return { verb: 'hangup' };
    default:
      return { verb: 'other', name: String(verb['verb']) };
  }
}

function readListen(verb: Record<string, unknown>): ListenVerb {
  const bidirectional = isRecord(verb['bidirectionalAudio']) ? verb['bidirectionalAudio'] : {};
  const auth = isRecord(verb['wsAuth']) ? verb['wsAuth'] : null;
  const sampleRate = Number(verb['sampleRate'] ?? 8_000);
  return {
    verb: 'listen',
    url: textOf(verb['url']),
    actionHook: textOf(verb['actionHook']) || null,
    sampleRate,
    bidirectionalRate: Number(bidirectional['sampleRate'] ?? sampleRate),
    isStreaming: bidirectional['enabled'] !== false && bidirectional['streaming'] === true,
    passDtmf: verb['passDtmf'] === true,
    metadata: isRecord(verb['metadata']) ? verb['metadata'] : {},
    credentials:
      auth === null ? null : { username: textOf(auth['username']), password: textOf(auth['password']) },
  };
}
