/** The public listener on a loopback port, with the real Twilio adapter and a scripted desk behind it. */
import { createHmac } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { WebSocket } from 'ws';
import type { CarrierAdapter, CarrierId } from '../../src/carriers/carrier.ts';
import { buildCarriers } from '../../src/carriers/registry.ts';
import { systemClock } from '../../src/clock.ts';
import type { HttpMeters } from '../../src/http/http-meters.ts';
import { type PublicLimits, publicLimits } from '../../src/http/limits.ts';
import { buildPublicApp } from '../../src/http/public-app.ts';
import { createLog } from '../../src/observability/log.ts';
import { ScriptedDesk } from './scripted-desk.ts';

export const PUBLIC_ORIGIN = 'https://voice.example.com';
export const ACCOUNT = `AC${'0'.repeat(32)}`;
export const AUTH_TOKEN = 'an-auth-token-of-twilio';

export interface Harness {
  readonly desk: ScriptedDesk;
  readonly port: number;
  readonly counted: string[];
  readonly logged: string[];
  readonly carriers: Map<CarrierId, CarrierAdapter>;
  close(): Promise<void>;
}

export async function startPublic(
  limits: Partial<PublicLimits> = {},
  change: (adapter: CarrierAdapter) => CarrierAdapter = (adapter) => adapter,
): Promise<Harness> {
  const desk = new ScriptedDesk();
  const counted: string[] = [];
  const logged: string[] = [];
  const log = createLog({ level: 'trace', secrets: [], destination: { write: (line) => logged.push(line) } });
  const built = buildCarriers({
    publicUrl: PUBLIC_ORIGIN,
    twilio: {
      accountSid: ACCOUNT,
      authTokens: [AUTH_TOKEN],
      verifyStream: 'required',
      apiBaseUrl: null,
    },
  });
  const carriers = new Map([...built].map(([id, adapter]) => [id, change(adapter)]));
  const app = buildPublicApp({
    desk,
    carriers,
    clock: systemClock,
    log,
    meters: recordMeters(counted),
    limits: { ...publicLimits(10), ...limits },
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return { desk, port, counted, logged, carriers, close: () => app.close() };
}

export function recordMeters(counted: string[]): HttpMeters {
  return {
    authFailed: (carrier, at) => counted.push(`auth ${carrier} ${at}`),
    replayed: (carrier) => counted.push(`replay ${carrier}`),
    callRefused: (carrier, reason) => counted.push(`refused ${carrier} ${reason}`),
    limitHit: (kind) => counted.push(`limit ${kind}`),
    handlerFailed: (where) => counted.push(`failed ${where}`),
  };
}

/** Twilio's documented scheme, written here a second time: address, then names and values in the order of the names. */
export function signature(url: string, fields: Readonly<Record<string, string>> = {}): string {
  const text = Object.keys(fields)
    .sort()
    .reduce((sum, name) => sum + name + fields[name], url);
  return createHmac('sha1', AUTH_TOKEN).update(text).digest('base64');
}

export const CALL = {
  AccountSid: ACCOUNT,
  CallSid: 'CA00000000000000000000000000000001',
  CallStatus: 'ringing',
  Direction: 'inbound',
  From: '+15550100001',
  To: '+15550100002',
} as const;

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Headers;
}

/** A webhook as Twilio sends it, signed unless told otherwise. */
export async function webhook(
  { port }: Harness,
  path: string,
  fields: Readonly<Record<string, string>> = CALL,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded; charset=UTF-8',
      'x-twilio-signature': signature(PUBLIC_ORIGIN + path, fields),
      ...headers,
    },
    // Bytes, because fetch gives a URLSearchParams its own idea of a Content-Type.
    body: Buffer.from(new URLSearchParams(fields).toString()),
  });
  return { status: response.status, body: await response.text(), headers: response.headers };
}

export const MEDIA_PATH = '/twilio/media/token1';

/** A stream's handshake; resolves to the open socket, or to the status that refused it. */
export function openStream(
  { port }: Harness,
  options: { path?: string; headers?: Record<string, string>; signed?: boolean } = {},
): Promise<WebSocket | number> {
  const { path = MEDIA_PATH, headers = {}, signed = true } = options;
  const url = PUBLIC_ORIGIN.replace('https:', 'wss:') + path;
  const ws = new WebSocket(`ws://127.0.0.1:${port}${path}`, {
    perMessageDeflate: false,
    headers: { ...(signed ? { 'x-twilio-signature': signature(url) } : {}), ...headers },
  });
  return new Promise((resolve, reject) => {
    ws.once('open', () => resolve(ws));
    ws.once('unexpected-response', (_request, response) => {
      response.destroy();
      resolve(response.statusCode ?? 0);
    });
    ws.on('error', reject);
  });
}

export async function mustOpen(harness: Harness, options?: Parameters<typeof openStream>[1]) {
  const attached = harness.desk.nextStream();
  const ws = await openStream(harness, options);
  if (typeof ws === 'number') throw new Error(`the handshake was refused with ${ws}`);
  return { ws, stream: await attached };
}

export function closeOf(ws: WebSocket): Promise<{ code: number; reason: string }> {
  return new Promise((resolve) => {
    ws.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
}
