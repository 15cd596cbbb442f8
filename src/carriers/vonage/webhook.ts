import type { HttpReply, WebhookEvent, WebhookPort } from '../carrier.ts';
import { type Message, parseObject } from '../json-messages.ts';
import type { Link, Links } from './links.ts';
import { hangupNcco, type Ncco, refusalNcco, streamNcco, transferNcco, withPlus } from './ncco.ts';
import type { RegionBook, VonageSettings } from './settings.ts';
import { signedContent, type TokenGate } from './signature.ts';

/** Field names and values: Vonage, "Voice API webhook reference". Every leg of a call has a `uuid` of its own. */
const UNREACHED = new Set(['failed', 'rejected', 'unanswered', 'busy', 'timeout', 'cancelled']);
const ENDED = new Set([...UNREACHED, 'completed']);
const DETECTED = new Map([
  ['human', 'person'],
  ['machine', 'machine'],
] as const);
/** Ids go into addresses and records. Vonage's are UUIDs. */
const UUID = /^[A-Za-z0-9_-]{1,128}$/;
const MAX_ADDRESS_CHARACTERS = 255;

export interface VonageParts {
  readonly gate: TokenGate;
  readonly links: Links;
  readonly regions: RegionBook;
}

export function createVonageWebhook(settings: VonageSettings, parts: VonageParts): WebhookPort {
  const { gate, links, regions } = parts;
  return {
    refusedStatus: 401,
    /** The address is not in Vonage's signature: what we put into it ourselves must have ours. */
    verify: (request) => {
      const verdict = gate.webhook(request);
      if (!verdict.ok) return verdict;
      return links.read(request.target) === undefined ? { ok: false, reason: 'mismatch' } : verdict;
    },
    parse: (request, kind) => {
      const fields = parseObject(signedContent(request)) ?? {};
      const link = links.read(request.target) ?? null;
      switch (kind) {
        case 'voice':
          return parseVoice(fields, link, settings, regions);
        case 'after':
          return parseAfter(fields, link);
        case 'events':
          return parseStatus(fields);
      }
    },
    accept: async (call, streamPath) => json(streamNcco(call, streamPath, settings.sampleRate, links)),
    reject: async (_call, reason) => json(refusalNcco(reason)),
    continueWith: (plan) =>
      json(plan.kind === 'hangup' ? hangupNcco() : transferNcco(plan.target, null, null)),
    acknowledge: () => ({ status: 204, contentType: 'text/plain', body: '' }),
  };
}

function parseVoice(
  fields: Message,
  link: Link | null,
  settings: VonageSettings,
  regions: RegionBook,
): WebhookEvent {
  const callId = uuidOf(fields);
  if (callId === null) return { type: 'ignored', what: 'a request without a call' };
  regions.note(callId, fields['region_url']);
  const dialRef = link?.kind === 'dial' ? link.id : undefined;
  return {
    type: 'call-incoming',
    call: {
      carrier: 'vonage',
      callId,
      accountId: settings.applicationId,
      from: addressOf(fields, 'from') || addressOf(fields, 'from_user'),
      to: addressOf(fields, 'to'),
      direction: dialRef === undefined ? 'inbound' : 'outbound',
      ...(dialRef === undefined ? {} : { dialRef }),
    },
  };
}

/** Events of the stream's or the transfer's leg; whose they are, the address says. */
function parseAfter(fields: Message, link: Link | null): WebhookEvent {
  const status = textOf(fields, 'status');
  if (link === null || link.kind === 'dial') return { type: 'ignored', what: 'an event of no call of ours' };
  const callId = link.id;
  if (link.kind === 'transfer') {
    if (UNREACHED.has(status)) return { type: 'stream-continuation', callId, transfer: 'unanswered' };
    // An unanswered leg is reported as completed too, later and without a duration.
    if (status === 'completed' && Number(fields['duration']) > 0) {
      return { type: 'stream-continuation', callId, transfer: 'answered' };
    }
    return { type: 'ignored', what: 'a transfer on its way' };
  }
  // Sent when the socket was closed while the caller is still there.
  if (status === 'disconnected') return { type: 'stream-continuation', callId };
  if (status === 'answered') return { type: 'stream-started', callId };
  if (status === 'completed') return { type: 'stream-stopped', callId };
  if (UNREACHED.has(status)) return { type: 'stream-failed', callId, detail: status };
  return { type: 'ignored', what: 'a stream on its way' };
}

function parseStatus(fields: Message): WebhookEvent {
  const callId = uuidOf(fields);
  const status = textOf(fields, 'status');
  if (callId === null) return { type: 'ignored', what: 'an event without a call' };
  if (ENDED.has(status)) return { type: 'call-ended', callId, status };
  if (status === 'answered') return { type: 'call-answered', callId };
  const by = DETECTED.get(status as 'human' | 'machine');
  if (by !== undefined) return { type: 'call-answered', callId, by };
  return { type: 'ignored', what: 'a call status that is neither answered nor ended' };
}

function uuidOf(fields: Message): string | null {
  const uuid = textOf(fields, 'uuid');
  return UUID.test(uuid) ? uuid : null;
}

function addressOf(fields: Message, name: string): string {
  return withPlus(textOf(fields, name).slice(0, MAX_ADDRESS_CHARACTERS));
}

function textOf(fields: Message, name: string): string {
  const value = fields[name];
  return typeof value === 'string' ? value : '';
}

function json(ncco: Ncco): HttpReply {
  return { status: 200, contentType: 'application/json; charset=utf-8', body: JSON.stringify(ncco) };
}
