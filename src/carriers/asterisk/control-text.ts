import { type Message, parseMessage } from '../json-messages.ts';

/**
 * Asterisk's control messages in both their forms: JSON, and the older plain text that is still its default. Which one
 * a stream speaks is the dialplan's choice (`f(json)`, `f(plain-text)`) and cannot be asked for.
 */
export type ControlForm = 'json' | 'plain';
export interface ControlMessage {
  readonly form: ControlForm;
  readonly event: unknown;
  readonly fields: Message;
}

const OPEN = 0x7b;
const PLAIN_EVENT = /^[A-Z][A-Z_]{2,40}$/;
/** A longer text message is dropped with no answer. */
const MAX_COMMAND_BYTES = 128;
const MAX_FIELDS = 32;

/** Null for what is neither form. */
export function readControl(data: Buffer): ControlMessage | null {
  if (data[0] === OPEN) {
    const fields = parseMessage(data);
    return fields === null ? null : { form: 'json', event: fields['event'], fields };
  }
  const [event = '', ...words] = data.toString('utf8').trimEnd().split(' ', MAX_FIELDS);
  return PLAIN_EVENT.test(event) ? { form: 'plain', event, fields: plainFields(words) } : null;
}

/** `name:value`, or an id that stands alone: that of a mark. */
function plainFields(words: readonly string[]): Message {
  const fields: [string, string][] = [];
  for (const word of words) {
    const colon = word.indexOf(':');
    if (colon > 0) fields.push([word.slice(0, colon), word.slice(colon + 1)]);
    else if (word !== '') fields.push(['correlation_id', word]);
  }
  return Object.fromEntries(fields);
}

/** A command as Asterisk takes it, or null where it would be too long for that. `id` is a word without spaces. */
export function writeControl(form: ControlForm, command: string, id?: string): string | null {
  const text =
    form === 'json'
      ? JSON.stringify({ command, ...(id === undefined ? {} : { correlation_id: id }) })
      : [command, id].filter((word) => word !== undefined).join(' ');
  return Buffer.byteLength(text) <= MAX_COMMAND_BYTES ? text : null;
}
