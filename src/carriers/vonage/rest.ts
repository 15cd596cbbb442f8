import { type ApiCall, type ApiDependencies, callApi, judgeStatus } from '../api-client.ts';
import { dialByApi } from '../api-json.ts';
import type { ControlPort, ControlResult, DialRequest } from '../carrier.ts';
import { apiToken, readPrivateKey } from './api-token.ts';
import type { Links } from './links.ts';
import { transferNcco, withoutPlus } from './ncco.ts';
import { API_ORIGIN, type RegionBook, type VonageSettings } from './settings.ts';

/** What Vonage takes as `ringing_timer`, in seconds. */
const MAX_RING_SECONDS = 120;

/**
 * Places and changes calls: `POST /v1/calls`, `PUT /v1/calls/{uuid}`, JSON, with a token that the application signs.
 * Source: Vonage, "Voice API reference".
 * @throws OffhookError ERR_CONFIG where a private key is none
 */
export function createVonageControl(
  settings: VonageSettings,
  links: Links,
  regions: RegionBook,
  dependencies: ApiDependencies,
): ControlPort {
  const { applicationId, apiBaseUrl, privateKeys } = settings;
  const keys = new Map(privateKeys.map((pem) => [pem, readPrivateKey(pem)]));
  if (apiBaseUrl === null) {
    const unsupported = async (): Promise<ControlResult> => 'unsupported';
    return { hangup: unsupported, transfer: unsupported, sendDtmf: unsupported };
  }

  function request(
    what: string,
    method: 'POST' | 'PUT',
    url: string,
    body: object,
    repeat: ApiCall['repeat'],
  ): ApiCall {
    return {
      what: `${what} a call at Vonage`,
      url,
      credentials: privateKeys,
      request: (pem) => {
        const key = keys.get(pem);
        const token = key === undefined ? '' : apiToken(applicationId, key, dependencies.clock.epochMs());
        return {
          method,
          headers: {
            authorization: `Bearer ${token}`,
            'content-type': 'application/json',
            accept: 'application/json',
          },
          body: JSON.stringify(body),
        };
      },
      judge: (status) => judgeStatus(status, status === 404),
      repeat,
    };
  }

  function change(
    what: string,
    callId: string,
    part: '' | '/dtmf',
    body: object,
    repeat: ApiCall['repeat'],
  ): Promise<ControlResult> {
    const origin = apiBaseUrl ?? regions.of(callId);
    const url = `${origin}/v1/calls/${encodeURIComponent(callId)}${part}`;
    return callApi(request(what, 'PUT', url, body, repeat), dependencies);
  }

  return {
    hangup: (callId) => change('ending', callId, '', { action: 'hangup' }, 'any-trouble'),
    transfer: (callId, target, callerId) => {
      const ncco = transferNcco(target, callerId, links.after('transfer', callId));
      const destination = { type: 'ncco', ncco };
      return change('transferring', callId, '', { action: 'transfer', destination }, 'refused');
    },
    /** Digits are 0-9, `*`, `#` and `w`, half a second's pause, which Vonage calls `p`. */
    sendDtmf: async (callId, digits) => {
      if (!/^[0-9*#w]{1,64}$/.test(digits)) return 'failed';
      const body = { digits: digits.replaceAll('w', 'p') };
      return change('playing digits into', callId, '/dtmf', body, 'refused');
    },
    dial: (call) => {
      const url = `${apiBaseUrl ?? API_ORIGIN}/v1/calls`;
      return dialByApi(
        request('placing', 'POST', url, dialBody(call, links), 'refused'),
        uuidIn,
        dependencies,
      );
    },
  };
}

/** `default` tells people from machines while the call goes on; the result comes as an event. */
function dialBody({ ref, from, to, ringSeconds, detectMachine }: DialRequest, links: Links): object {
  return {
    to: [{ type: 'phone', number: withoutPlus(to) }],
    from: { type: 'phone', number: withoutPlus(from) },
    answer_url: [links.answer(ref)],
    answer_method: 'POST',
    event_url: [links.events],
    event_method: 'POST',
    ringing_timer: Math.min(MAX_RING_SECONDS, Math.max(1, Math.round(ringSeconds))),
    ...(detectMachine ? { advanced_machine_detection: { behavior: 'continue', mode: 'default' } } : {}),
  };
}

function uuidIn(json: unknown): string | null {
  const uuid = (json as { uuid?: unknown } | null)?.uuid;
  return typeof uuid === 'string' ? uuid : null;
}
