/** What Vonage does around a stream: signed JSON webhooks, NCCOs, events that may be answered with another NCCO. */
import { randomUUID } from 'node:crypto';
import type { CallContext, CallControl, CalleeOutcome, CarrierSide, Next } from '../carrier-side.ts';
import type { AnsweredBy, DialledCall } from '../dial-desk.ts';
import { expectAnswer, type GatewayAnswer, notADocument } from '../gateway-http.ts';
import type { VonageApi } from './api.ts';
import { signedBearer, type VonageSigner } from './jwt.ts';
import { type NccoAction, parseNcco } from './ncco.ts';
import { vonageProtocol } from './protocol.ts';

export interface VonageAccount extends VonageSigner {
  readonly api?: VonageApi;
  /** As in `VonageStream`. */
  readonly earlyFrame?: boolean;
  readonly dialled?: { readonly call: DialledCall; readonly by: AnsweredBy };
}

const CALLEE_STATUS: Readonly<Record<CalleeOutcome, string>> = {
  answered: 'completed',
  busy: 'busy',
  'no-answer': 'unanswered',
};

export function createVonageSide(account: VonageAccount, call: CallContext): CarrierSide {
  const { api, dialled } = account;
  const uuid = dialled?.call.callId ?? randomUUID();
  const conversationUuid = `CON-${randomUUID()}`;
  const numbers = { from: digitsOf(call.from), to: digitsOf(call.to) };
  let control: CallControl | null = null;
  /** The websocket, or the callee, is a leg with a uuid of its own. */
  let legUuid = '';
  let eventUrl: string | null = null;

  const post = (address: string, fields: Readonly<Record<string, unknown>>): Promise<GatewayAnswer> => {
    const body = JSON.stringify({ ...numbers, uuid, conversation_uuid: conversationUuid, ...fields });
    return call.http.ask(address, () => ({
      headers: {
        'content-type': 'application/json',
        authorization: signedBearer(account, body, call.clock.epochMs()),
      },
      body,
    }));
  };
  const event = (address: string, status: string, ofLeg: string): Promise<GatewayAnswer> =>
    post(address, {
      uuid: ofLeg,
      status,
      direction: call.direction,
      timestamp: new Date(call.clock.epochMs()).toISOString(),
    });

  const nextOf = (actions: readonly NccoAction[]): Next => {
    const problem = actions.find((each) => each.action === 'invalid');
    if (problem !== undefined) {
      control?.invalid(problem.why);
      return { do: 'hang-up', detail: problem.why };
    }
    const connect = actions.find((each) => each.action === 'websocket' || each.action === 'phone');
    if (connect === undefined) {
      const said = actions.flatMap((each) => (each.action === 'talk' ? [each.text] : [])).join(' ');
      return { do: 'hang-up', detail: said || actions.map(({ action }) => action).join(', ') || 'nothing' };
    }
    // What stands behind it may run as soon as the socket is up.
    if (actions.at(-1) !== connect) control?.invalid('actions behind a connect');
    legUuid = randomUUID();
    ({ eventUrl } = connect);
    if (connect.action === 'phone') return { do: 'transfer', target: connect.number, detail: 'connect' };
    return { do: 'stream', plan: planOf(connect) };
  };
  const planOf = ({ uri, sampleRate, headers, authorization }: NccoAction & { action: 'websocket' }) => {
    const value =
      authorization === 'vonage'
        ? signedBearer(account, null, call.clock.epochMs())
        : (authorization?.value ?? null);
    const { earlyFrame = false } = account;
    return {
      url: uri,
      headers: value === null ? ({} as Record<string, string>) : { authorization: value },
      protocols: [],
      streamId: legUuid,
      sentRate: sampleRate,
      open: vonageProtocol({ sampleRate, headers, earlyFrame }),
    };
  };
  /** An answer that is no document leaves the call as it is, and nothing comes after the endpoint: it ends. */
  const askOn = async (status: string): Promise<Next> => {
    if (eventUrl === null) return { do: 'hang-up', detail: 'nothing' };
    const answer = await event(eventUrl, status, legUuid);
    call.note('after', `answered ${answer.status}`);
    const actions = answer.status === 200 ? parseNcco(answer.body) : null;
    if (actions !== null) return nextOf(actions);
    return { do: 'hang-up', detail: `the event address answered ${answer.status}` };
  };

  return {
    carrier: 'vonage',
    callId: uuid,
    async ring() {
      const fields = dialled?.call.fields ?? {};
      const inline = fields['ncco'] === undefined ? null : parseNcco(fields['ncco']);
      if (inline !== null) return nextOf(inline);
      const [named] = Array.isArray(fields['answer_url']) ? fields['answer_url'] : [];
      const detects = fields['machine_detection'] ?? fields['advanced_machine_detection'];
      if (dialled !== undefined && detects !== undefined) {
        const [address = '/vonage/events'] = Array.isArray(fields['event_url']) ? fields['event_url'] : [];
        await event(String(address), dialled.by === 'machine' ? 'machine' : 'human', uuid);
      }
      const answer = await post(typeof named === 'string' ? named : '/vonage/voice', {});
      expectAnswer(answer, 401);
      return nextOf(parseNcco(answer.body) ?? notADocument(answer, 'a list of NCCO actions'));
    },
    afterStream: () => askOn('disconnected'),
    afterTransfer: (outcome) => askOn(CALLEE_STATUS[outcome]),
    tell(what) {
      if (what === 'ended') return [event('/vonage/events', 'completed', uuid)];
      return [event('/vonage/events', what === 'stream-started' ? 'answered' : 'completed', legUuid)];
    },
    register(given) {
      control = given;
      const forget = api?.register(uuid, {
        hangUp: () => given.hangUp('action=hangup'),
        digits: (digits) => given.digits(digits),
        transfer(ncco, url) {
          const actions = ncco === undefined ? null : parseNcco(ncco);
          if (actions !== null) given.proceed(nextOf(actions));
          else if (url === null) given.invalid('a transfer to something that is no NCCO');
          else {
            post(url, {}).then(
              ({ body }) => given.proceed(nextOf(parseNcco(body) ?? [])),
              () => given.invalid('a transfer to an address that does not answer'),
            );
          }
        },
      });
      return () => forget?.();
    },
  };
}

/** Vonage writes numbers without "+". */
const digitsOf = (number: string): string => number.replace(/^\+/, '');
