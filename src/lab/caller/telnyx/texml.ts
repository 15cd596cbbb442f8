/** Telnyx over TeXML: form-encoded webhooks, signed like the events, and documents much like Twilio's. */
import { randomUUID } from 'node:crypto';
import type { CallContext, CalleeOutcome, CarrierSide, Next } from '../carrier-side.ts';
import { expectAnswer, type GatewayAnswer, notADocument } from '../gateway-http.ts';
import { childOf, parametersOf, responseOf, type XmlElement } from '../xml.ts';
import type { TelnyxAccount } from './account.ts';
import { agreeFormats } from './formats.ts';
import { telnyxProtocol } from './protocol.ts';
import { telnyxHeaders } from './signature.ts';

const DIAL_STATUS: Readonly<Record<CalleeOutcome, string>> = {
  answered: 'completed',
  busy: 'busy',
  'no-answer': 'no-answer',
};

export function createTexmlSide(account: TelnyxAccount, call: CallContext): CarrierSide {
  const callId = account.dialled?.call.callId ?? `v3:${randomUUID()}`;
  const sessionId = randomUUID();
  let streamId = '';
  let action: string | null = null;
  let statusCallback: string | null = null;

  const post = (address: string, fields: Readonly<Record<string, string>>): Promise<GatewayAnswer> => {
    const body = new URLSearchParams({
      AccountSid: 'b5b1f6a0-6ab5-4a9e-9ab6-4d2a3f5e6d70',
      CallSid: callId,
      CallStatus: 'in-progress',
      ConnectionId: '1684641123236054244',
      Direction: call.direction === 'inbound' ? 'inbound' : 'outbound-api',
      From: call.from,
      To: call.to,
      ...fields,
    }).toString();
    const signed = telnyxHeaders(account.keys.privateKey, body, call.clock.epochMs());
    return call.http.ask(address, () => ({
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...signed },
      body,
    }));
  };

  const nextOf = (verbs: readonly XmlElement[]): Next => {
    for (const verb of verbs) {
      const stream = verb.name === 'Connect' ? childOf(verb, 'Stream') : undefined;
      if (stream !== undefined) {
        action = verb.attributes['action'] ?? null;
        return streamOf(stream);
      }
      if (verb.name === 'Dial') {
        action = verb.attributes['action'] ?? null;
        const target = (verb.children[0]?.text ?? verb.text).trim();
        return { do: 'transfer', target, detail: 'dial' };
      }
    }
    const said = verbs.flatMap((verb) => (verb.name === 'Say' ? [verb.text.trim()] : [])).join(' ');
    return {
      do: 'hang-up',
      detail: said || verbs.map(({ name }) => name.toLowerCase()).join(', ') || 'nothing',
    };
  };
  const streamOf = (stream: XmlElement): Next => {
    const { attributes } = stream;
    const formats = agreeFormats(
      {
        codec: attributes['codec'] ?? '',
        mode: attributes['bidirectionalMode'] ?? 'mp3',
        bidirectionalCodec: attributes['bidirectionalCodec'] ?? '',
        bidirectionalRate: attributes['bidirectionalSamplingRate'] ?? '',
      },
      account,
    );
    if (formats === null) return { do: 'hang-up', detail: 'no such codec or rate' };
    streamId = randomUUID();
    statusCallback = attributes['statusCallback'] ?? null;
    const { reorderEvery } = account;
    return {
      do: 'stream',
      plan: {
        url: attributes['url'] ?? '',
        headers: {},
        protocols: [],
        streamId,
        sentRate: formats.sent.sampleRate,
        open: telnyxProtocol({
          streamId,
          callControlId: callId,
          callSessionId: sessionId,
          from: call.from,
          to: call.to,
          clientState: null,
          parameters: parametersOf(stream),
          authToken: null,
          formats,
          ...(reorderEvery === undefined ? {} : { reorderEvery }),
          isoNow: () => new Date(call.clock.epochMs()).toISOString(),
        }),
      },
    };
  };
  const askOn = async (fields: Readonly<Record<string, string>>): Promise<Next> => {
    if (action === null) return { do: 'hang-up', detail: 'nothing' };
    const { status, body } = await post(action, fields);
    call.note('after', `answered ${status}`);
    const verbs = status === 200 ? responseOf(body) : null;
    return verbs === null
      ? { do: 'hang-up', detail: `the action address answered ${status}` }
      : nextOf(verbs);
  };

  return {
    carrier: 'telnyx',
    callId,
    async ring() {
      const answer = await post('/telnyx/voice', { CallStatus: 'ringing' });
      expectAnswer(answer, 403);
      return nextOf(responseOf(answer.body) ?? notADocument(answer, 'a TeXML document'));
    },
    afterStream: () => askOn({}),
    afterTransfer: (outcome) => askOn({ DialCallStatus: DIAL_STATUS[outcome] }),
    tell(what) {
      if (what === 'ended') return [post('/telnyx/events', { CallStatus: 'completed' })];
      if (statusCallback === null) return [];
      return [post(statusCallback, { StreamSid: streamId, StreamEvent: what })];
    },
    register(control) {
      const forget = account.api?.register(callId, {
        check: ({ name }) => (name === 'texml' ? null : { code: '90034', title: 'not a Call Control call' }),
        obey({ fields }) {
          const document = typeof fields['Texml'] === 'string' ? responseOf(fields['Texml']) : null;
          if (fields['Status'] === 'completed') control.hangUp('Status=completed');
          else if (document !== null) control.proceed(nextOf(document));
          else control.invalid('an update that is neither Status=completed nor Texml=');
        },
      });
      return () => forget?.();
    },
  };
}
