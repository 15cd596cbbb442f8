/** What jambonz does around a stream: signed JSON webhooks, verbs that run one after the other, hooks when one is over. */
import { createHmac, randomUUID } from 'node:crypto';
import { basicCredentials } from '../api-server.ts';
import type { CallContext, CallControl, CalleeOutcome, CarrierSide, Next } from '../carrier-side.ts';
import type { AnsweredBy, DialledCall } from '../dial-desk.ts';
import { expectAnswer, type GatewayAnswer, notADocument } from '../gateway-http.ts';
import type { SampleRate } from '../line-format.ts';
import { addressOf, type JambonzApi } from './api.ts';
import { jambonzProtocol } from './protocol.ts';
import { type JambonzVerb, type ListenVerb, parseVerbs } from './verbs.ts';

export interface JambonzAccount {
  readonly accountSid: string;
  readonly webhookSecret: string;
  readonly api?: JambonzApi;
  /** Of the call's codec; default 8000. */
  readonly callRate?: SampleRate;
  readonly dialled?: { readonly call: DialledCall; readonly by: AnsweredBy };
}

const SUBPROTOCOL = 'audio.drachtio.org';
const MOST_METADATA_BYTES = 8_192;
const MOST_REDIRECTS = 5;
const DIAL_STATUS: Readonly<Record<CalleeOutcome, string>> = {
  answered: 'completed',
  busy: 'busy',
  'no-answer': 'no-answer',
};
const isRate = (rate: number): rate is SampleRate => rate === 8_000 || rate === 16_000 || rate === 24_000;

/** `t=<seconds>,v1=<hex>` over the time, a dot and the body. Source: jambonz, "Securing webhooks". */
export function jambonzSignature(secret: string, body: string, epochMs: number): string {
  const seconds = Math.floor(epochMs / 1_000);
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}

export function createJambonzSide(account: JambonzAccount, call: CallContext): CarrierSide {
  return new JambonzSide(account, call);
}

class JambonzSide implements CarrierSide {
  readonly carrier = 'jambonz';
  readonly callId: string;
  readonly #account: JambonzAccount;
  readonly #call: CallContext;
  readonly #ids = { call_id: randomUUID(), application_sid: randomUUID(), trace_id: randomUUID() };
  #control: CallControl | null = null;
  #rest: readonly JambonzVerb[] = [];
  /** Asked when the verb that runs is over; its answer takes the place of the rest. */
  #hook: string | null = null;

  constructor(account: JambonzAccount, call: CallContext) {
    this.#account = account;
    this.#call = call;
    this.callId = account.dialled?.call.callId ?? randomUUID();
  }

  async ring(): Promise<Next> {
    const { dialled } = this.#account;
    const address = addressOf(dialled?.call.fields['call_hook']) ?? '/jambonz/voice';
    const status = dialled === undefined ? 'trying' : 'in-progress';
    const answer = await this.#post(address, { call_status: status, sip_status: 100 });
    expectAnswer(answer, 403);
    return this.#run(parseVerbs(answer.body) ?? notADocument(answer, 'a list of verbs'));
  }

  afterStream(): Promise<Next> {
    return this.#afterVerb({});
  }

  afterTransfer(outcome: CalleeOutcome): Promise<Next> {
    return this.#afterVerb({ dial_call_status: DIAL_STATUS[outcome], dial_call_sid: randomUUID() });
  }

  tell(what: 'stream-started' | 'stream-stopped' | 'ended'): readonly Promise<GatewayAnswer>[] {
    // A stream's beginning and end are told on the stream alone.
    if (what === 'ended') return [this.#post('/jambonz/events', { call_status: 'completed' })];
    const { dialled } = this.#account;
    const detector = addressOf(
      (dialled?.call.fields['amd'] as { actionHook?: unknown } | undefined)?.actionHook,
    );
    if (what !== 'stream-started' || detector === null) return [];
    const type = dialled?.by === 'machine' ? 'amd_machine_detected' : 'amd_human_detected';
    return [this.#post(detector, { type })];
  }

  register(control: CallControl): () => void {
    this.#control = control;
    const forget = this.#account.api?.register(this.callId, {
      hangUp: () => control.hangUp('call_status'),
      digits: (digits) => control.digits(digits),
      redirect: (url) => {
        this.#askOn(url, {}).then(
          (next) => control.proceed(next),
          () => control.invalid('call_hook does not answer'),
        );
      },
    });
    return () => forget?.();
  }

  #afterVerb(fields: Readonly<Record<string, unknown>>): Promise<Next> {
    const hook = this.#hook;
    this.#hook = null;
    return hook === null ? this.#run(this.#rest) : this.#askOn(hook, fields);
  }

  async #run(verbs: readonly JambonzVerb[], redirects = 0): Promise<Next> {
    const said: string[] = [];
    for (const [index, verb] of verbs.entries()) {
      this.#rest = verbs.slice(index + 1);
      if (verb.verb === 'say') said.push(verb.text);
      if (verb.verb === 'dtmf') this.#call.note('dtmf-out', verb.digits.slice(0, 64));
      if (verb.verb === 'listen') return this.#streamOf(verb);
      if (verb.verb === 'dial') {
        this.#hook = verb.actionHook;
        return { do: 'transfer', target: verb.target, detail: 'dial' };
      }
      if (verb.verb === 'redirect') return this.#askOn(verb.actionHook, {}, redirects + 1);
      if (verb.verb === 'hangup') break;
    }
    const names = verbs.map((verb) => (verb.verb === 'other' ? verb.name : verb.verb)).join(', ');
    return { do: 'hang-up', detail: said.join(' ') || names || 'nothing' };
  }

  #streamOf(listen: ListenVerb): Next {
    const { sampleRate, bidirectionalRate, isStreaming, passDtmf, credentials } = listen;
    const { callRate = 8_000 } = this.#account;
    if (!isRate(sampleRate) || !isRate(bidirectionalRate))
      return this.#refuse('a rate that is not simulated');
    if (Buffer.byteLength(JSON.stringify(listen.metadata)) > MOST_METADATA_BYTES) {
      return this.#refuse(`metadata of more than ${MOST_METADATA_BYTES} bytes`);
    }
    this.#hook = listen.actionHook;
    const { from, to, direction } = this.#call;
    const metadata = {
      callSid: this.callId,
      direction,
      from,
      to,
      callId: this.#ids.call_id,
      sbcCallid: this.#ids.call_id,
      accountSid: this.#account.accountSid,
      applicationSid: this.#ids.application_sid,
      traceId: this.#ids.trace_id,
      callStatus: 'in-progress',
      sampleRate,
      mixType: 'mono',
      ...listen.metadata,
    };
    return {
      do: 'stream',
      plan: {
        url: listen.url,
        headers:
          credentials === null
            ? {}
            : { authorization: basicCredentials(credentials.username, credentials.password) },
        protocols: [SUBPROTOCOL],
        streamId: '',
        sentRate: sampleRate,
        open: jambonzProtocol({
          metadata,
          sentRate: sampleRate,
          heardRate: bidirectionalRate,
          callRate,
          isStreaming,
          passDtmf,
        }),
      },
    };
  }

  #refuse(why: string): Next {
    this.#control?.invalid(why);
    return { do: 'hang-up', detail: why };
  }

  async #askOn(address: string, fields: Readonly<Record<string, unknown>>, redirects = 0): Promise<Next> {
    if (redirects > MOST_REDIRECTS) return this.#refuse('redirected in circles');
    const { status, body } = await this.#post(address, { call_status: 'in-progress', ...fields });
    this.#call.note('after', `answered ${status}`);
    const verbs = status === 200 ? parseVerbs(body) : null;
    if (verbs === null) return { do: 'hang-up', detail: `the hook answered ${status}` };
    return this.#run(verbs, redirects);
  }

  #post(address: string, fields: Readonly<Record<string, unknown>>): Promise<GatewayAnswer> {
    const { from, to, direction, clock, http } = this.#call;
    const body = JSON.stringify({
      ...this.#ids,
      call_sid: this.callId,
      account_sid: this.#account.accountSid,
      direction,
      from,
      to,
      caller_name: '',
      // What the call was placed with comes back.
      ...(this.#account.dialled === undefined
        ? {}
        : { customerData: this.#account.dialled.call.fields['tag'] }),
      originating_sip_ip: '192.0.2.10',
      originating_sip_trunk_name: 'trunk',
      ...fields,
    });
    return http.ask(address, () => ({
      headers: {
        'content-type': 'application/json',
        'jambonz-signature': jambonzSignature(this.#account.webhookSecret, body, clock.epochMs()),
      },
      body,
    }));
  }
}
