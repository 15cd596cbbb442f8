/**
 * What a PBX with Asterisk does around a stream: nothing rings at the gateway, the dialplan opens the socket itself, and
 * goes on by itself when it is closed.
 */
import { randomBytes } from 'node:crypto';
import { basicCredentials } from '../api-server.ts';
import type { CallContext, CarrierSide, Next } from '../carrier-side.ts';
import type { AnsweredBy, DialledCall } from '../dial-desk.ts';
import type { AsteriskApi } from './api.ts';
import { asteriskProtocol } from './protocol.ts';
import { type AsteriskAccount, codecFormat } from './settings.ts';

export interface AsteriskPbx extends AsteriskAccount {
  readonly api?: AsteriskApi;
  readonly dialled?: { readonly call: DialledCall; readonly by: AnsweredBy };
}

const CONNECTION = 'gateway';

export function createAsteriskSide(pbx: AsteriskPbx, call: CallContext): CarrierSide {
  const { username, password, codec = 'ulaw', api, dialled, query = {} } = pbx;
  const uniqueId = `${Math.floor(call.clock.epochMs() / 1_000)}.${randomBytes(3).readUIntBE(0, 3)}`;
  const callId = dialled?.call.callId ?? uniqueId;
  const channelId = `${uniqueId}1`;

  const plan = () => {
    // As `v(…)` of the dial string comes out: each name and value encoded on its own.
    const given = { call: callId, from: call.from, to: call.to, ...outbound(), ...query };
    const pairs = Object.entries(given).map(
      ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
    );
    return {
      url: call.http.named(`/asterisk/media?${pairs.join('&')}`).replace(/^http/, 'ws'),
      headers: { authorization: basicCredentials(username, password) },
      protocols: ['media'],
      streamId: channelId,
      sentRate: codecFormat(codec).sampleRate,
      open: asteriskProtocol({ ...pbx, channelId, connectionId: CONNECTION }),
    };
  };
  /** What the dialplan makes of a call that was placed with variables. */
  const outbound = (): Record<string, string> => {
    if (dialled === undefined) return {};
    const { OFFHOOK_REF: ref } = (dialled.call.fields['variables'] ?? {}) as Record<string, unknown>;
    return { direction: 'outbound', ...(typeof ref === 'string' ? { ref } : {}) };
  };
  const dialplanEnds = async (): Promise<Next> => ({ do: 'hang-up', detail: 'the dialplan hangs up' });

  return {
    carrier: 'asterisk',
    callId,
    ring: async () => ({ do: 'stream', plan: plan() }),
    afterStream: dialplanEnds,
    afterTransfer: dialplanEnds,
    tell: () => [],
    register(control) {
      const controlled = {
        hangUp: () => control.hangUp('DELETE'),
        digits: (digits: string) => control.digits(digits),
        redirect: (target: string) => control.proceed({ do: 'transfer', target, detail: 'redirect' }),
      };
      const forgets = [callId, channelId].map((id) => api?.register(id, controlled));
      return () => {
        for (const forget of forgets) forget?.();
      };
    },
  };
}
