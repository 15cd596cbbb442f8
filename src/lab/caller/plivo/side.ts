/** What Plivo does around a stream: signed form webhooks, XML whose elements run one after the other, an API. */
import { randomBytes, randomUUID } from 'node:crypto';
import type { CallContext, CallControl, CalleeOutcome, CarrierSide, Next } from '../carrier-side.ts';
import type { AnsweredBy, DialledCall } from '../dial-desk.ts';
import { expectAnswer, type GatewayAnswer, notADocument } from '../gateway-http.ts';
import { lineFormat, type SampleRate } from '../line-format.ts';
import { responseOf, type XmlElement } from '../xml.ts';
import type { PlivoApi } from './api.ts';
import { plivoProtocol } from './protocol.ts';
import { plivoHeaders } from './signature.ts';

export interface PlivoAccount {
  readonly authId: string;
  readonly authToken: string;
  readonly api?: PlivoApi;
  /** Which form of the stream's address is signed: the documents and reports differ. Default http. */
  readonly handshakeScheme?: 'http' | 'https' | 'wss';
  readonly dialled?: { readonly call: DialledCall; readonly by: AnsweredBy };
}

const DIAL_STATUS: Readonly<Record<CalleeOutcome, string>> = {
  answered: 'completed',
  busy: 'busy',
  'no-answer': 'no-answer',
};
const MOST_EXTRA_HEADER_BYTES = 512;
const MOST_REDIRECTS = 5;

export function createPlivoSide(account: PlivoAccount, call: CallContext): CarrierSide {
  return new PlivoSide(account, call);
}

class PlivoSide implements CarrierSide {
  readonly carrier = 'plivo';
  readonly callId = randomUUID();
  readonly #account: PlivoAccount;
  readonly #call: CallContext;
  #control: CallControl | null = null;
  /** What stands behind the element that runs. */
  #rest: readonly XmlElement[] = [];
  #dialAction: string | null = null;
  #statusCallback: string | null = null;
  #streamId = '';

  constructor(account: PlivoAccount, call: CallContext) {
    this.#account = account;
    this.#call = call;
  }

  async ring(): Promise<Next> {
    const { dialled } = this.#account;
    const address = dialled?.call.fields['answer_url'];
    const answer = await this.#post(typeof address === 'string' ? address : '/plivo/voice', {
      CallStatus: dialled === undefined ? 'ringing' : 'in-progress',
      Event: 'StartApp',
      ...(dialled === undefined ? {} : { RequestUUID: dialled.call.callId }),
    });
    expectAnswer(answer, 403);
    return this.#run(responseOf(answer.body) ?? notADocument(answer, 'a Plivo XML document'));
  }

  afterStream(): Promise<Next> {
    return this.#run(this.#rest);
  }

  async afterTransfer(outcome: CalleeOutcome): Promise<Next> {
    if (this.#dialAction === null) return this.#run(this.#rest);
    return this.#askOn(this.#dialAction, {
      DialStatus: DIAL_STATUS[outcome],
      DialHangupCause: outcome === 'busy' ? 'USER_BUSY' : 'NORMAL_CLEARING',
    });
  }

  tell(what: 'stream-started' | 'stream-stopped' | 'ended'): readonly Promise<GatewayAnswer>[] {
    if (what === 'ended') {
      return [
        this.#post('/plivo/events', {
          CallStatus: 'completed',
          Event: 'Hangup',
          HangupCause: 'NORMAL_CLEARING',
        }),
      ];
    }
    const told = what === 'stream-started' ? this.#tellWhoAnswered() : [];
    if (this.#statusCallback === null) return told;
    const Event = what === 'stream-started' ? 'StartStream' : 'StopStream';
    return [...told, this.#post(this.#statusCallback, { Event, StreamID: this.#streamId })];
  }

  register(control: CallControl): () => void {
    this.#control = control;
    const forget = this.#account.api?.register(this.callId, {
      hangUp: () => control.hangUp('DELETE'),
      digits: (digits) => control.digits(digits),
      redirect: (url) => {
        this.#askOn(url, {}).then(
          (next) => control.proceed(next),
          () => control.invalid('aleg_url does not answer'),
        );
      },
    });
    return () => forget?.();
  }

  /** Machine detection tells its own address, while the call goes on. */
  #tellWhoAnswered(): readonly Promise<GatewayAnswer>[] {
    const { dialled } = this.#account;
    const address = dialled?.call.fields['machine_detection_url'];
    if (dialled === undefined || typeof address !== 'string') return [];
    const Machine = String(dialled.by === 'machine');
    return [this.#post(address, { Event: 'MachineDetection', Machine, RequestUUID: dialled.call.callId })];
  }

  /** One element after the other, up to one that takes time. */
  async #run(elements: readonly XmlElement[], redirects = 0): Promise<Next> {
    const said: string[] = [];
    for (const [index, element] of elements.entries()) {
      this.#rest = elements.slice(index + 1);
      const { name, attributes, text } = element;
      if (name === 'Speak') said.push(text.trim());
      if (name === 'DTMF') this.#call.note('dtmf-out', text.trim().slice(0, 64));
      if (name === 'Stream') return this.#streamOf(element);
      if (name === 'Dial') {
        this.#dialAction = attributes['action'] ?? null;
        const target = (element.children[0]?.text ?? text).trim();
        return { do: 'transfer', target, detail: 'dial' };
      }
      if (name === 'Redirect') return this.#askOn(text.trim(), {}, redirects + 1);
      if (name === 'Hangup') break;
    }
    const names = elements.map((element) => element.name.toLowerCase()).join(', ');
    return { do: 'hang-up', detail: said.join(' ') || names || 'nothing' };
  }

  async #streamOf({ attributes, text }: XmlElement): Promise<Next> {
    const { clock, http } = this.#call;
    const [, kind, rate] =
      /^audio\/x-(mulaw|l16);rate=(8000|16000|24000)$/.exec(attributes['contentType'] ?? '') ?? [];
    const extraHeaders = attributes['extraHeaders'] ?? '';
    const problem =
      kind === undefined || (kind === 'mulaw' && rate !== '8000')
        ? 'a contentType that is not known'
        : attributes['bidirectional'] !== 'true'
          ? 'a stream that is not bidirectional'
          : Buffer.byteLength(extraHeaders) > MOST_EXTRA_HEADER_BYTES
            ? 'extraHeaders of more than 512 bytes'
            : null;
    if (problem !== null) return this.#refuse(problem);
    // Without it the document is through at once, and the call ends within seconds.
    if (attributes['keepCallAlive'] !== 'true') return this.#refuse('a stream without keepCallAlive="true"');
    const url = text.trim();
    this.#streamId = randomUUID();
    this.#statusCallback = attributes['statusCallbackUrl'] ?? null;
    const format = lineFormat(kind === 'mulaw' ? 'pcmu' : 'l16', Number(rate) as SampleRate);
    const { handshakeScheme = 'http', authId, authToken } = this.#account;
    const signedUrl = http.named(url).replace(/^wss?/, handshakeScheme);
    const handshake = { method: 'GET', url: signedUrl, form: {} } as const;
    return {
      do: 'stream',
      plan: {
        url,
        headers: plivoHeaders(authToken, handshake, newNonce()),
        protocols: [],
        streamId: this.#streamId,
        sentRate: format.sampleRate,
        open: plivoProtocol({
          callId: this.callId,
          streamId: this.#streamId,
          accountId: authId,
          format,
          extraHeaders,
          epochMs: () => clock.epochMs(),
        }),
      },
    };
  }

  #refuse(why: string): Next {
    this.#control?.invalid(why);
    return { do: 'hang-up', detail: why };
  }

  async #askOn(address: string, fields: Readonly<Record<string, string>>, redirects = 0): Promise<Next> {
    if (redirects > MOST_REDIRECTS) return this.#refuse('redirected in circles');
    const { status, body } = await this.#post(address, fields);
    this.#call.note('after', `answered ${status}`);
    const elements = status === 200 ? responseOf(body) : null;
    if (elements === null) return { do: 'hang-up', detail: `the next address answered ${status}` };
    return this.#run(elements, redirects);
  }

  #post(address: string, fields: Readonly<Record<string, string>>): Promise<GatewayAnswer> {
    const { from, to, direction, http } = this.#call;
    const form: Record<string, string> = {
      CallUUID: this.callId,
      CallStatus: 'in-progress',
      Direction: direction,
      From: digitsOf(from),
      To: digitsOf(to),
      ParentAuthID: this.#account.authId,
      ...fields,
    };
    return http.ask(address, (url) => ({
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        ...plivoHeaders(this.#account.authToken, { method: 'POST', url, form }, newNonce()),
      },
      body: new URLSearchParams(form).toString(),
    }));
  }
}

/** Plivo writes numbers without "+". */
const digitsOf = (number: string): string => number.replace(/^\+/, '');
const newNonce = (): string => String(randomBytes(8).readBigUInt64BE()).padStart(20, '0');
