/** What Twilio does around a stream: the signed webhook, TwiML, the action addresses, status callbacks. */
import { randomBytes } from 'node:crypto';
import type { CallContext, CallControl, CalleeOutcome, CarrierSide, Next } from '../carrier-side.ts';
import type { AnsweredBy, DialledCall } from '../dial-desk.ts';
import { expectAnswer, type GatewayAnswer, notADocument } from '../gateway-http.ts';
import type { TwilioApi } from './api.ts';
import { twilioProtocol } from './protocol.ts';
import { twilioSignature } from './signature.ts';
import { parseTwiml, type TwimlVerb } from './twiml.ts';

export interface TwilioAccount {
  readonly accountSid: string;
  readonly authToken: string;
  /** Lets the gateway hang up over the REST API. */
  readonly api?: TwilioApi;
  /** Of a call that the gateway has placed, and who answers it. */
  readonly dialled?: { readonly call: DialledCall; readonly by: AnsweredBy };
}

/** The `DialCallStatus` of what became of the callee. */
const DIAL_STATUS: Readonly<Record<CalleeOutcome, string>> = {
  answered: 'completed',
  busy: 'busy',
  'no-answer': 'no-answer',
};

export function createTwilioSide(account: TwilioAccount, call: CallContext): CarrierSide {
  const { accountSid, authToken, api, dialled } = account;
  const callSid = dialled?.call.callId ?? sid('CA');
  let connected: Extract<TwimlVerb, { verb: 'connect' }> | null = null;
  let dialAction: string | null = null;
  let streamSid = '';

  const post = (address: string, fields: Readonly<Record<string, string>>): Promise<GatewayAnswer> => {
    const form: Record<string, string> = {
      AccountSid: accountSid,
      ApiVersion: '2010-04-01',
      CallSid: callSid,
      CallStatus: 'in-progress',
      Direction: call.direction === 'inbound' ? 'inbound' : 'outbound-api',
      From: call.from,
      Caller: call.from,
      To: call.to,
      Called: call.to,
      ...fields,
    };
    return call.http.ask(address, (named) => ({
      headers: {
        'content-type': 'application/x-www-form-urlencoded; charset=UTF-8',
        'user-agent': 'TwilioProxy/1.1',
        'x-twilio-signature': twilioSignature(authToken, named, form),
      },
      body: new URLSearchParams(form).toString(),
    }));
  };

  const nextOf = (verbs: readonly TwimlVerb[]): Next => {
    for (const verb of verbs) {
      if (verb.verb === 'play' && verb.digits !== '') call.note('dtmf-out', verb.digits.slice(0, 64));
      if (verb.verb === 'connect') {
        connected = verb;
        streamSid = sid('MZ');
        return { do: 'stream', plan: planOf(verb) };
      }
      if (verb.verb === 'dial') {
        dialAction = verb.action;
        return { do: 'transfer', target: verb.to, detail: 'dial' };
      }
    }
    const said = verbs.flatMap((verb) => (verb.verb === 'say' ? [verb.text] : [])).join(' ');
    return { do: 'hang-up', detail: said || verbs.map((verb) => verb.verb).join(', ') || 'nothing' };
  };
  const planOf = (connect: Extract<TwimlVerb, { verb: 'connect' }>) => ({
    url: connect.streamUrl,
    headers: { 'x-twilio-signature': twilioSignature(authToken, connect.streamUrl) },
    protocols: [],
    streamId: streamSid,
    sentRate: 8_000 as const,
    open: twilioProtocol({ accountSid, callSid, streamSid }, connect.parameters),
  });
  /** What Twilio does where one of its addresses fails: it hangs up. */
  const askOn = async (address: string | null, fields: Readonly<Record<string, string>>): Promise<Next> => {
    if (address === null) return { do: 'hang-up', detail: 'nothing' };
    const { status, body } = await post(address, fields);
    call.note('after', `answered ${status}`);
    const verbs = status === 200 ? parseTwiml(body) : null;
    return verbs === null
      ? { do: 'hang-up', detail: `the action address answered ${status}` }
      : nextOf(verbs);
  };
  const answeredBy = dialled?.by === 'machine' ? 'machine_end_beep' : 'human';
  const firstAnswer = async (): Promise<string> => {
    const twiml = dialled?.call.fields['Twiml'];
    if (typeof twiml === 'string') return twiml;
    const { Url: address, MachineDetection: detects, AsyncAmd: later } = dialled?.call.fields ?? {};
    const answer = await post(typeof address === 'string' ? address : '/twilio/voice', {
      CallStatus: dialled === undefined ? 'ringing' : 'in-progress',
      ...(detects === undefined || later === 'true' ? {} : { AnsweredBy: answeredBy }),
    });
    expectAnswer(answer, 403);
    return parseTwiml(answer.body) === null ? notADocument(answer, 'a TwiML document') : answer.body;
  };

  return {
    carrier: 'twilio',
    callId: callSid,
    ring: async () => nextOf(parseTwiml(await firstAnswer()) ?? []),
    afterStream: () => askOn(connected?.action ?? null, {}),
    afterTransfer: (outcome) => askOn(dialAction, { DialCallStatus: DIAL_STATUS[outcome] }),
    tell(what) {
      if (what === 'ended') return [post('/twilio/events', { CallStatus: 'completed' })];
      const detector = dialled?.call.fields['AsyncAmdStatusCallback'];
      const told =
        what === 'stream-started' && typeof detector === 'string'
          ? [post(detector, { AnsweredBy: answeredBy })]
          : [];
      if (connected?.statusCallback == null) return told;
      return [
        ...told,
        post(connected.statusCallback, {
          StreamSid: streamSid,
          StreamName: streamSid,
          StreamEvent: what,
          Timestamp: new Date(call.clock.epochMs()).toISOString(),
        }),
      ];
    },
    register(control: CallControl) {
      const forget = api?.register(callSid, {
        hangUp: () => control.hangUp('Status=completed'),
        replaceTwiml: (twiml) => {
          const verbs = parseTwiml(twiml);
          if (verbs === null) control.invalid('Twiml= holds no TwiML');
          else control.proceed(nextOf(verbs));
        },
      });
      return () => forget?.();
    },
  };
}

const sid = (prefix: string): string => prefix + randomBytes(16).toString('hex');
