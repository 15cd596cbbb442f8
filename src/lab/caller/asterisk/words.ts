/**
 * Asterisk's control messages, in JSON or in plain text, from the carrier's side. Seen on Asterisk 22.10: in plain text a
 * mark's and a buffer's name follow bare, QUEUE_DRAINED stands alone, and other fields are `name:value`.
 */
import { jsonFields } from '../api-server.ts';

export type AsteriskEvent =
  | 'MEDIA_START'
  | 'DTMF_END'
  | 'MEDIA_XOFF'
  | 'MEDIA_XON'
  | 'STATUS'
  | 'MEDIA_BUFFERING_COMPLETED'
  | 'MEDIA_MARK_PROCESSED'
  | 'QUEUE_DRAINED'
  | 'ERROR';

export interface AsteriskCommand {
  readonly command: string;
  readonly correlationId: string;
}

export interface AsteriskWords {
  write(event: AsteriskEvent, fields: Readonly<Record<string, unknown>>): string;
  /** Null for what cannot be read at all. Never throws. */
  read(text: string): AsteriskCommand | null;
}

export const JSON_WORDS: AsteriskWords = {
  write: (event, fields) => JSON.stringify({ event, ...fields }),
  read(text) {
    const { command, correlation_id } = jsonFields(text);
    if (typeof command !== 'string') return null;
    return { command, correlationId: typeof correlation_id === 'string' ? correlation_id : '' };
  },
};

const BARE: ReadonlySet<AsteriskEvent> = new Set(['MEDIA_MARK_PROCESSED', 'MEDIA_BUFFERING_COMPLETED']);

export const PLAIN_WORDS: AsteriskWords = {
  write(event, fields) {
    if (event === 'QUEUE_DRAINED') return event;
    if (BARE.has(event)) return `${event} ${String(fields['correlation_id'] ?? '')}`.trimEnd();
    const pairs = Object.entries(fields).filter(([, value]) => typeof value !== 'object');
    return [event, ...pairs.map(([name, value]) => `${name}:${value}`)].join(' ');
  },
  read(text) {
    const [command = '', correlationId = ''] = text.split(' ');
    return /^[A-Z_]+$/.test(command) ? { command, correlationId } : null;
  },
};
