/** What SignalWire does around a stream: signed form webhooks, cXML, a bearer token on the handshake, an API. */
import { randomUUID } from 'node:crypto';
import type { CallContext, CallControl, CalleeOutcome, CarrierSide, Next } from '../carrier-side.ts';
import type { AnsweredBy, DialledCall } from '../dial-desk.ts';
import { expectAnswer, type GatewayAnswer, notADocument } from '../gateway-http.ts';
import { type LineFormat, lineFormat } from '../line-format.ts';
import { childOf, parametersOf, responseOf, type XmlElement } from '../xml.ts';
import type { SignalwireApi } from './api.ts';
import { signalwireProtocol } from './protocol.ts';
import { signalwireSignature } from './signature.ts';

export interface SignalwireAccount {
  readonly projectId: string;
  readonly signingKey: string;
  readonly api?: SignalwireApi;
  readonly dialled?: { readonly call: DialledCall; readonly by: AnsweredBy };
}

const DIAL_STATUS: Readonly<Record<CalleeOutcome, string>> = {
  answered: 'completed',
  busy: 'busy',
  'no-answer': 'no-answer',
};

export function createSignalwireSide(account: SignalwireAccount, call: CallContext): CarrierSide {
  const { projectId, signingKey, api, dialled } = account;
  const callSid = dialled?.call.callId ?? randomUUID();
  let control: CallControl | null = null;
  let action: string | null = null;
  let statusCallback: string | null = null;
  let streamSid = '';

  const answeredBy = dialled?.by === 'machine' ? 'machine_end_beep' : 'human';
  const post = (address: string, fields: Readonly<Record<string, string>>): Promise<GatewayAnswer> => {
    const form: Record<string, string> = {
      AccountSid: projectId,
      ApiVersion: '2010-04-01',
      CallSid: callSid,
      CallStatus: 'in-progress',
      Direction: call.direction === 'inbound' ? 'inbound' : 'outbound-api',
      From: call.from,
      To: call.to,
      ...fields,
    };
    return call.http.ask(address, (named) => ({
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'x-signalwire-signature': signalwireSignature(signingKey, named, form),
      },
      body: new URLSearchParams(form).toString(),
    }));
  };

  const nextOf = (verbs: readonly XmlElement[]): Next => {
    for (const verb of verbs) {
      const stream = verb.name === 'Connect' ? childOf(verb, 'Stream') : undefined;
      if (stream !== undefined || verb.name === 'Dial') action = verb.attributes['action'] ?? null;
      if (stream !== undefined) return streamOf(stream);
      if (verb.name === 'Dial') {
        const target = (verb.children[0]?.text ?? verb.text).trim();
        return { do: 'transfer', target, detail: 'dial' };
      }
    }
    const said = verbs.flatMap(({ name, text }) => (name === 'Say' ? [text.trim()] : [])).join(' ');
    return {
      do: 'hang-up',
      detail: said || verbs.map(({ name }) => name.toLowerCase()).join(', ') || 'nothing',
    };
  };
  const streamOf = (stream: XmlElement): Next => {
    const { url = '', codec = 'PCMU@8000h', authBearerToken } = stream.attributes;
    const format = formatOf(codec);
    const problem = format === null ? 'a codec that is not known' : addressProblem(url);
    if (format === null || problem !== null) {
      control?.invalid(String(problem));
      return { do: 'hang-up', detail: String(problem) };
    }
    streamSid = randomUUID();
    statusCallback = stream.attributes['statusCallback'] ?? null;
    const parameters = parametersOf(stream);
    return {
      do: 'stream',
      plan: {
        url,
        headers: authBearerToken === undefined ? {} : { authorization: `Bearer ${authBearerToken}` },
        protocols: [],
        streamId: streamSid,
        sentRate: format.sampleRate,
        open: signalwireProtocol({ accountSid: projectId, callSid, streamSid, format, parameters }),
      },
    };
  };
  const askOn = async (address: string | null, fields: Readonly<Record<string, string>>): Promise<Next> => {
    if (address === null) return { do: 'hang-up', detail: 'nothing' };
    const { status, body } = await post(address, fields);
    call.note('after', `answered ${status}`);
    const verbs = status === 200 ? responseOf(body) : null;
    return verbs === null ? { do: 'hang-up', detail: `the next address answered ${status}` } : nextOf(verbs);
  };

  return {
    carrier: 'signalwire',
    callId: callSid,
    async ring() {
      const { Url: address, MachineDetection: detects, AsyncAmd: later } = dialled?.call.fields ?? {};
      const answer = await post(typeof address === 'string' ? address : '/signalwire/voice', {
        CallStatus: dialled === undefined ? 'ringing' : 'in-progress',
        ...(detects === undefined || later === 'true' ? {} : { AnsweredBy: answeredBy }),
      });
      expectAnswer(answer, 403);
      return nextOf(responseOf(answer.body) ?? notADocument(answer, 'a cXML document'));
    },
    afterStream: () => askOn(action, {}),
    afterTransfer: (outcome) => askOn(action, { DialCallStatus: DIAL_STATUS[outcome] }),
    tell(what) {
      if (what === 'ended') return [post('/signalwire/events', { CallStatus: 'completed' })];
      const detector = dialled?.call.fields['AsyncAmdStatusCallback'];
      const told =
        what === 'stream-started' && typeof detector === 'string'
          ? [post(detector, { AnsweredBy: answeredBy })]
          : [];
      if (statusCallback === null) return told;
      const Timestamp = new Date(call.clock.epochMs()).toISOString();
      return [
        ...told,
        post(statusCallback, { StreamSid: streamSid, StreamName: '', StreamEvent: what, Timestamp }),
      ];
    },
    register(given) {
      control = given;
      const forget = api?.register(callSid, {
        hangUp: () => given.hangUp('Status=completed'),
        redirect: (url) => {
          askOn(url, {}).then(
            (next) => given.proceed(next),
            () => given.invalid('Url= does not answer'),
          );
        },
      });
      return () => forget?.();
    },
  };
}

function formatOf(codec: string): LineFormat | null {
  switch (codec) {
    case 'PCMU@8000h':
      return lineFormat('pcmu', 8000);
    case 'L16@16000h':
      return lineFormat('l16', 16000);
    case 'L16@24000h':
      return lineFormat('l16', 24000);
    default:
      return null;
  }
}

const addressProblem = (url: string): string | null =>
  !/^wss?:\/\//.test(url)
    ? 'a stream without an address'
    : url.includes('?')
      ? 'an address with a query'
      : null;
