import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { botSchema } from '../../src/bots/bot.ts';
import { readClips } from '../../src/call/clips.ts';
import { noMeters } from '../../src/call/meters.ts';
import { createCallRegistry } from '../../src/call/registry.ts';
import { CARRIER_IDS, type CarrierId } from '../../src/carriers/carrier.ts';
import { publicLimits } from '../../src/http/limits.ts';
import { buildPublicApp } from '../../src/http/public-app.ts';
import type { GatewayAnswer, GatewayRequest } from '../../src/lab/caller/gateway-http.ts';
import { type CarrierAccount, createCarrierSide } from '../../src/lab/caller/place-call.ts';
import { plivoHeaders } from '../../src/lab/caller/plivo/signature.ts';
import { signedBearer } from '../../src/lab/caller/vonage/jwt.ts';
import { VirtualClock } from '../../src/lab/virtual-clock.ts';
import { silentLog } from '../../src/observability/log.ts';
import { recordMeters } from '../http/harness.ts';
import { buildAdapters, JAMBONZ, PLIVO, SIGNALWIRE, TELNYX, TWILIO, VONAGE } from '../lab/caller/adapters.ts';

const PUBLIC_URL = 'https://voice.example.com';
const API = 'https://api.example.com';
const CALLS = 100;
const BOT = { ...botSchema.parse({}), name: 'bench', prompt: 'Be brief.' };
const CLIPS = readClips(join(import.meta.dirname, '../../assets/clips/en'));

/** A request that the carrier has signed. */
interface Announcement {
  readonly path: string;
  readonly request: GatewayRequest;
}

interface Scheme {
  readonly account: CarrierAccount;
  /** A copy that comes five minutes late, as the carrier's page says; null where nothing in it tells its age. */
  readonly staleIs: 401 | 403 | null;
  /** Signs the second one so that the nonce, or the id, of the first is used again; absent where there is none. */
  readonly reuse?: (used: Announcement, other: Announcement, epochMs: number) => Announcement;
}

const telnyxApi = () => ({
  url: API,
  dials: { next: () => new Promise<never>(() => {}) } as never,
  register: () => () => {},
  close: async () => {},
});
const SCHEMES: Readonly<Record<string, Scheme>> = {
  twilio: { account: { carrier: 'twilio', ...TWILIO }, staleIs: null },
  'telnyx, Call Control': {
    account: { carrier: 'telnyx', keys: TELNYX.keys, api: telnyxApi() },
    staleIs: 403,
  },
  'telnyx, TeXML': { account: { carrier: 'telnyx', keys: TELNYX.keys }, staleIs: 403 },
  plivo: {
    account: { carrier: 'plivo', ...PLIVO },
    staleIs: 403,
    reuse: (used, other) => {
      const nonce = used.request.headers['x-plivo-signature-v3-nonce'] as string;
      const form = Object.fromEntries(new URLSearchParams(other.request.body));
      const signed = { method: 'POST', url: PUBLIC_URL + other.path, form } as const;
      return withHeaders(other, plivoHeaders(PLIVO.authToken, signed, nonce));
    },
  },
  vonage: {
    account: { carrier: 'vonage', ...VONAGE },
    staleIs: 401,
    reuse: (used, other, epochMs) => {
      const claims = claimsOf(signedBearer(VONAGE, other.request.body ?? '', epochMs));
      const { jti } = claimsOf(used.request.headers['authorization'] as string);
      return withHeaders(other, { authorization: bearerOf({ ...claims, jti }) });
    },
  },
  signalwire: { account: { carrier: 'signalwire', ...SIGNALWIRE }, staleIs: null },
  jambonz: { account: { carrier: 'jambonz', ...JAMBONZ }, staleIs: 403 },
};

const withHeaders = (
  { path, request }: Announcement,
  headers: Readonly<Record<string, string>>,
): Announcement => ({ path, request: { ...request, headers: { ...request.headers, ...headers } } });

const claimsOf = (bearer: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(bearer.split('.')[1] as string, 'base64url').toString());

function bearerOf(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `Bearer ${text}.${createHmac('sha256', VONAGE.signatureSecret).update(text).digest('base64url')}`;
}

/** The real handler, adapters and registry, on a clock that stands still; the model is never reached. */
function openGateway() {
  const clock = new VirtualClock({ startMs: 1_000 });
  const counted: string[] = [];
  const admitted: string[] = [];
  const commands: { readonly callId: string; readonly body: string }[] = [];
  let sessions = 0;
  const urls = Object.fromEntries(CARRIER_IDS.map((id) => [id, API])) as Record<CarrierId, string>;
  const carriers = buildAdapters(PUBLIC_URL, urls, {
    clock,
    random: () => 0.5,
    fetch: async (url, init) => {
      commands.push({
        callId: decodeURIComponent(String(url).split('/')[5] ?? ''),
        body: String(init?.body),
      });
      // Long enough for a copy of the announcement to come before the first one is answered.
      for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      return new Response('{"data":{"result":"ok"}}');
    },
    onProblem: () => {},
  });
  const registry = createCallRegistry({
    clock,
    connectLive: () => {
      sessions += 1;
      return new Promise(() => {});
    },
    bots: { botFor: () => BOT, byName: () => BOT, list: () => [BOT] },
    clips: CLIPS,
    listeners: [
      (entry, { carrierCallId }) => {
        if (entry.type === 'call-admitted') admitted.push(carrierCallId);
      },
    ],
    meters: noMeters,
    limits: { maxCalls: 10 * CALLS },
    onTickFault: () => {},
  });
  const app = buildPublicApp({
    desk: registry,
    carriers: new Map(carriers),
    clock,
    log: silentLog(),
    meters: recordMeters(counted),
    limits: publicLimits(10 * CALLS),
  });
  /** Every token that was given to anybody, in an answer or over the API. */
  const tokens = new Set<string>();
  const noteTokens = (text: string): void => {
    for (const [, token] of text.matchAll(/\/media\/([0-9a-f]{85})/g)) tokens.add(token as string);
  };
  return {
    clock,
    counted,
    admitted,
    commands,
    registry,
    sessions: () => sessions,
    tokens: () => {
      for (const { body } of commands) noteTokens(body);
      return tokens;
    },
    async post({ path, request }: Announcement): Promise<GatewayAnswer> {
      const { statusCode, headers, body } = await app.inject({
        method: request.method ?? 'POST',
        url: path,
        headers: request.headers,
        payload: request.body ?? '',
      });
      noteTokens(body);
      return { status: statusCode, contentType: String(headers['content-type']), body };
    },
  };
}

/** One call at the carrier: what it says first, signed anew each time that it is asked for, and what it says last. */
function callAt(account: CarrierAccount, clock: VirtualClock) {
  let asked: Announcement | null = null;
  const side = createCarrierSide(account, {
    clock,
    http: {
      publicUrl: PUBLIC_URL,
      named: (address) => new URL(address, PUBLIC_URL).href,
      dialled: (address) => address,
      ask: async (address, make) => {
        asked = { path: address, request: make(new URL(address, PUBLIC_URL).href) };
        throw new Error('only what is said is wanted');
      },
    },
    from: '+15550100001',
    to: '+15550100002',
    direction: 'inbound',
    note: () => {},
  });
  const said = async (speak: () => Promise<unknown>): Promise<Announcement> => {
    await speak().catch(() => {});
    return asked as unknown as Announcement;
  };
  return {
    callId: side.callId,
    announce: () => said(() => side.ring()),
    end: () => said(() => Promise.all(side.tell('ended'))),
  };
}

describe.each(Object.entries(SCHEMES))('a thousand announcements sent again, %s:', (_, scheme) => {
  const { account, staleIs, reuse } = scheme;

  test('none makes a second call, session or token; each gets the first answer, or the refusal of its kind', async () => {
    const gateway = openGateway();
    const { clock, post } = gateway;
    const calls = Array.from({ length: CALLS }, () => callAt(account, clock));
    let replays = 0;
    let refused = 0;
    const expectAgain = async (answer: GatewayAnswer, ...copies: readonly Announcement[]) => {
      replays += copies.length;
      // At the same time, all of them.
      for (const again of await Promise.all(copies.map(post))) expect(again).toEqual(answer);
    };
    const expectRefused = async (status: number, ...copies: readonly Announcement[]) => {
      replays += copies.length;
      refused += copies.length;
      for (const again of await Promise.all(copies.map(post)))
        expect(again).toMatchObject({ status, body: '' });
    };

    const first: { readonly announcement: Announcement; readonly answer: GatewayAnswer }[] = [];
    for (const call of calls) {
      const announcement = await call.announce();
      // Twice at once, before there is any answer; then one after the other, and three at the same time.
      const [answer, twin] = await Promise.all([post(announcement), post(announcement)]);
      replays += 1;
      expect(answer.status).toBe(200);
      expect(twin).toEqual(answer);
      await expectAgain(answer, announcement);
      await expectAgain(answer, announcement, announcement, announcement);
      // The carrier repeats itself, and signs it anew.
      await expectAgain(answer, await call.announce());
      first.push({ announcement, answer });
    }
    expect(gateway.registry.activeCalls).toBe(CALLS);

    for (const [index, { announcement, answer }] of first.entries()) {
      const other = await calls[(index + 1) % CALLS]!.announce();
      // What was signed once is not taken for another request.
      if (reuse !== undefined) {
        await expectRefused(
          account.carrier === 'vonage' ? 401 : 403,
          reuse(announcement, other, clock.epochMs()),
        );
      } else await expectAgain(answer, announcement);
    }

    for (const { end } of calls.values()) expect((await post(await end())).status).toBeLessThan(300);
    expect(gateway.registry.activeCalls).toBe(0);
    for (const [index, { announcement, answer }] of first.entries()) {
      await expectAgain(answer, announcement);
      await expectAgain(answer, await calls[index]!.announce());
    }

    await clock.advanceAsync(301_000);
    for (const { announcement, answer } of first) {
      if (staleIs === null) await expectAgain(answer, announcement);
      else await expectRefused(staleIs, announcement);
    }

    expect(replays).toBe(10 * CALLS);
    expect(gateway.admitted.sort()).toEqual(calls.map(({ callId }) => callId).sort());
    expect(gateway.tokens().size).toBe(CALLS);
    expect(gateway.sessions()).toBeLessThanOrEqual(CALLS);
    expect(gateway.registry.activeCalls).toBe(0);
    const { carrier } = account;
    expect(gateway.counted.filter((what) => what === `replay ${carrier}`)).toHaveLength(replays - refused);
    expect(gateway.counted.filter((what) => what === `auth ${carrier} webhook`)).toHaveLength(refused);
    expect(gateway.counted).toHaveLength(replays);
    // Answered over the API, each once.
    const answered = new Set(gateway.commands.map(({ callId }) => callId));
    expect(answered.size).toBe(gateway.commands.length);
  });
});
