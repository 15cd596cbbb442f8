import { type ApiCall, type ApiDependencies, callApi } from '../api-client.ts';
import { dialByApi } from '../api-json.ts';
import type { ControlPort, ControlResult, DialRequest } from '../carrier.ts';
import { type CallForm, callSidOf, dialForm, formRequest, judgeFormReply } from '../form-calls.ts';
import { dialDocument } from '../voice-markup.ts';
import { type TwilioSettings, twilioAddresses } from './settings.ts';
import { playDigitsDocument } from './twiml.ts';

/** Changes and places calls: `POST /2010-04-01/Accounts/{AccountSid}/Calls[/{CallSid}].json`, a form, Basic credentials. */
export function createTwilioControl(
  settings: TwilioSettings,
  publicUrl: string,
  dependencies: ApiDependencies,
): ControlPort {
  const addresses = twilioAddresses(publicUrl);
  const baseUrl = settings.apiBaseUrl === undefined ? apiOrigin(settings) : settings.apiBaseUrl;

  function request(what: string, path: string, form: CallForm, repeat: ApiCall['repeat']): ApiCall {
    const account = encodeURIComponent(settings.accountSid);
    return {
      what: `${what} a call at Twilio`,
      url: `${baseUrl}/2010-04-01/Accounts/${account}/Calls${path}.json`,
      credentials: settings.authTokens,
      request: formRequest(settings.accountSid, form),
      judge: judgeFormReply,
      repeat,
    };
  }

  async function update(
    what: string,
    callId: string,
    form: CallForm,
    repeat: ApiCall['repeat'],
  ): Promise<ControlResult> {
    if (baseUrl === null) return 'unsupported';
    return callApi(request(what, `/${encodeURIComponent(callId)}`, form, repeat), dependencies);
  }

  return {
    hangup: (callId) => update('ending', callId, { Status: 'completed' }, 'any-trouble'),
    transfer: (callId, target, callerId) => {
      const document = dialDocument(target, callerId, addresses.after);
      return update('transferring', callId, { Twiml: document }, 'refused');
    },
    /** Digits are 0-9, `*`, `#` and `w` (half a second's pause). Ends the stream; Twilio then asks `/twilio/after`. */
    sendDtmf: async (callId, digits) => {
      if (!/^[0-9*#w]{1,64}$/.test(digits)) return 'failed';
      return update(
        'playing digits into',
        callId,
        { Twiml: playDigitsDocument(digits, addresses) },
        'refused',
      );
    },
    ...(baseUrl === null
      ? {}
      : {
          dial: (call: DialRequest) =>
            dialByApi(request('placing', '', dialForm(call, addresses), 'refused'), callSidOf, dependencies),
        }),
  };
}

/** `api.{edge}.{region}.twilio.com`; an edge alone means region us1. Source: the `twilio` package's host names. */
export function apiOrigin({ region, edge }: Pick<TwilioSettings, 'region' | 'edge'>): string {
  const labels = ['api', edge, region || (edge ? 'us1' : undefined)].filter(Boolean);
  return `https://${labels.join('.')}.twilio.com`;
}
