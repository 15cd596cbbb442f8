import { type ApiCall, type ApiDependencies, callApi } from '../api-client.ts';
import { dialByApi } from '../api-json.ts';
import type { ControlPort, DialRequest } from '../carrier.ts';
import { type CallForm, callSidOf, dialForm, formRequest, judgeFormReply } from '../form-calls.ts';
import { apiOrigin, type SignalwireSettings, signalwireAddresses } from './settings.ts';

/**
 * Changes live calls: `POST /api/laml/2010-04-01/Accounts/{project}/Calls/{sid}`, a form, Basic credentials. Source:
 * SignalWire, "Compatibility API: calls"; the fields are those of `@signalwire/compatibility-api` 3.2.
 */
export function createSignalwireControl(
  settings: SignalwireSettings,
  publicUrl: string,
  dependencies: ApiDependencies,
): ControlPort {
  const addresses = signalwireAddresses(publicUrl);
  const origin = apiOrigin(settings);
  const account = encodeURIComponent(settings.projectId);

  function request(what: string, path: string, form: CallForm, repeat: ApiCall['repeat']): ApiCall {
    return {
      what: `${what} a call at SignalWire`,
      url: `${origin}/api/laml/2010-04-01/Accounts/${account}/Calls${path}`,
      credentials: settings.apiTokens,
      request: formRequest(settings.projectId, form),
      judge: judgeFormReply,
      repeat,
    };
  }

  return {
    async hangup(callId) {
      if (origin === null) return 'unsupported';
      const path = `/${encodeURIComponent(callId)}`;
      return callApi(request('ending', path, { Status: 'completed' }, 'any-trouble'), dependencies);
    },
    /** The API takes no document, only an address of one; the end of the stream is where a transfer is asked for. */
    transfer: async () => 'unsupported',
    /** Keys go through the stream. */
    sendDtmf: async () => 'unsupported',
    ...(origin === null
      ? {}
      : {
          dial: (call: DialRequest) =>
            dialByApi(request('placing', '', dialForm(call, addresses), 'refused'), callSidOf, dependencies),
        }),
  };
}
