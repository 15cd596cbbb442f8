import type { IncomingCall, RawRequest, UpgradePort } from '../carrier.ts';
import type { AsteriskSettings } from './settings.ts';
import { verifyCredentials } from './signature.ts';

/** What the dialplan puts into the stream's address with `v(…)`. */
const NAMES = { callId: 'call', from: 'from', to: 'to', direction: 'direction', dialRef: 'ref' } as const;
/** A channel's id is made of digits and a dot, behind the system's name where it has one, or is our own. */
const CHANNEL_ID = /^[A-Za-z0-9._-]{1,128}$/;
const DIAL_REF = /^[A-Za-z0-9_-]{1,64}$/;
const MAX_ADDRESS_CHARACTERS = 255;

/** Asterisk asks nobody before a call: it opens the stream, and its handshake says who calls whom. */
export function createAsteriskUpgrade({ username, passwords }: AsteriskSettings): UpgradePort {
  return {
    refusedStatus: 401,
    subprotocols: ['media'],
    authorize: ({ headers, target }) =>
      target.startsWith('/')
        ? verifyCredentials(headers, username, passwords)
        : { ok: false, reason: 'malformed' },
    incoming: incomingCall,
  };
}

/** Null without a usable id of the call: its caller could not be hung up, nor the call be told from another. */
function incomingCall({ target }: RawRequest): IncomingCall | null {
  const fields = queryOf(target);
  const callId = only(fields, NAMES.callId);
  const direction = only(fields, NAMES.direction) || 'inbound';
  const dialRef = only(fields, NAMES.dialRef) || null;
  if (callId === null || !CHANNEL_ID.test(callId)) return null;
  if (direction !== 'inbound' && direction !== 'outbound') return null;
  if (dialRef !== null && !DIAL_REF.test(dialRef)) return null;
  return {
    carrier: 'asterisk',
    callId,
    accountId: null,
    from: (only(fields, NAMES.from) ?? '').slice(0, MAX_ADDRESS_CHARACTERS),
    to: (only(fields, NAMES.to) ?? '').slice(0, MAX_ADDRESS_CHARACTERS),
    direction,
    ...(dialRef === null ? {} : { dialRef }),
  };
}

/** A plus is a plus: `URIENCODE` writes a space as `%20`, and `${EXTEN}` may have a number's plus as it is. */
function queryOf(target: string): URLSearchParams {
  const start = target.indexOf('?');
  return new URLSearchParams(start === -1 ? '' : target.slice(start + 1).replaceAll('+', '%2B'));
}

/** A field that comes twice with different values says nothing. */
function only(fields: URLSearchParams, name: string): string | null {
  const values = fields.getAll(name);
  const [first] = values;
  return first !== undefined && values.every((value) => value === first) ? first : null;
}
