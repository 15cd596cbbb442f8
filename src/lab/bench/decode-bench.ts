/**
 * What a hostile or broken carrier costs: mutated messages, each carrier's own, through its decoder. None may throw, and
 * none may take long, as all calls of the process wait meanwhile. What the machine and the collector do to any code of
 * that length, a loop shows that decodes nothing: it runs behind every message, for as long as the median one takes, and
 * leaves as much garbage. And what a message costs by itself, the shortest of three times shows: no machine stops us
 * three times at the same one.
 */
import { generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import type { CarrierAdapter, CarrierId } from '../../carriers/carrier.ts';
import { buildCarriers } from '../../carriers/registry.ts';
import { seededRandom } from '../network/random.ts';

export interface DecodeCost {
  readonly carrier: CarrierId;
  readonly messages: number;
  readonly bytes: number;
  readonly threw: number;
  /** Events that came of them. */
  readonly events: number;
  /** As it took, the first time. */
  readonly decoding: Spread;
  /** The shortest time of each message. */
  readonly own: Spread;
  /** Of the loop that decodes nothing. */
  readonly idling: Spread;
}

/** Microseconds a message. */
export interface Spread {
  readonly medianUs: number;
  readonly p99Us: number;
  readonly p9999Us: number;
  readonly worstUs: number;
}

export interface DecodeBenchResult {
  readonly seed: number;
  readonly carriers: readonly DecodeCost[];
}

interface Message {
  readonly data: Buffer;
  readonly isBinary: boolean;
}

/** As large as the web server lets through. */
const LONGEST_BYTES = 64 * 1024;
/** After so many a stream begins anew: whatever a decoder had to give up, it gives up early. */
const STREAM_MESSAGES = 200;
const PASSES = 3;
/** Whole streams. */
const WARM_UP = 1_000;
const Line = z.union([
  z.object({ dir: z.literal('in'), text: z.string() }),
  z.object({ dir: z.literal('in'), base64: z.base64() }),
]);

/** @param traces the folder with one folder of traces for each carrier, ending in a slash */
export function runDecodeBench(options: {
  readonly traces: URL;
  readonly messages: number;
  readonly seed: number;
  readonly onProgress: (line: string) => void;
}): DecodeBenchResult {
  const { traces, messages, seed, onProgress } = options;
  const costs: DecodeCost[] = [];
  for (const adapter of anyCarriers().values()) {
    onProgress(`${adapter.id}: ${messages} mutated messages (${costs.length + 1} of 7)`);
    costs.push(costOf(adapter, readMessages(new URL(`${adapter.id}/`, traces)), messages, seed));
  }
  return { seed, carriers: costs };
}

function costOf(
  adapter: CarrierAdapter,
  honest: readonly Message[],
  messages: number,
  seed: number,
): DecodeCost {
  const [first, ...more] = Array.from({ length: PASSES }, () => pass(adapter, honest, messages, seed));
  const { tookUs, idleUs, ...counts } = first as Pass;
  const shortestUs = tookUs.map((us, n) => Math.min(us, ...more.map((again) => again.tookUs[n] as number)));
  return {
    carrier: adapter.id,
    messages,
    ...counts,
    decoding: spreadOf(tookUs),
    own: spreadOf(shortestUs),
    idling: spreadOf(idleUs),
  };
}

interface Pass {
  readonly tookUs: Float64Array;
  readonly idleUs: Float64Array;
  readonly threw: number;
  readonly events: number;
  readonly bytes: number;
}

/** All messages once, the same ones for the same seed. */
function pass(adapter: CarrierAdapter, honest: readonly Message[], messages: number, seed: number): Pass {
  const random = seededRandom(seed);
  const warmUs = new Float64Array(WARM_UP);
  const tookUs = new Float64Array(messages);
  const idleUs = new Float64Array(messages);
  const open = honest.slice(0, 2);
  let [threw, events, bytes] = [0, 0, 0];
  let typicalUs = 0;
  for (let from = -WARM_UP; from < messages; from += STREAM_MESSAGES) {
    // Made beforehand: the garbage of making them is not the decoder's.
    const stream = Array.from({ length: STREAM_MESSAGES }, () => mutated(honest, random));
    const port = adapter.createMediaPort();
    // Half of the streams never start as they should.
    if (random() < 0.5) for (const { data, isBinary } of open) port.decode(data, isBinary);
    if (from === 0) typicalUs = spreadOf(warmUs).medianUs;
    for (const [at, { data, isBinary }] of stream.slice(0, messages - from).entries()) {
      const startedAtMs = performance.now();
      try {
        events += port.decode(data, isBinary).length;
      } catch {
        threw += 1;
      }
      const decodedAtMs = performance.now();
      idle(data, decodedAtMs, typicalUs);
      const us = (decodedAtMs - startedAtMs) * 1_000;
      if (from < 0) warmUs[from + WARM_UP + at] = us;
      else {
        tookUs[from + at] = us;
        idleUs[from + at] = (performance.now() - decodedAtMs) * 1_000;
        bytes += data.length;
      }
    }
  }
  return { tookUs, idleUs, threw, events, bytes };
}

/** Does nothing for so long, and leaves a copy of the message behind, as decoding leaves its text. */
function idle(data: Buffer, sinceMs: number, forUs: number): void {
  Buffer.from(data);
  while ((performance.now() - sinceMs) * 1_000 < forUs) {}
}

function spreadOf(unsorted: Float64Array): Spread {
  const tookUs = unsorted.toSorted();
  const at = (share: number): number =>
    tookUs[Math.min(tookUs.length - 1, Math.floor(tookUs.length * share))] as number;
  return { medianUs: at(0.5), p99Us: at(0.99), p9999Us: at(0.9999), worstUs: at(1) };
}

/** One honest message, and up to four harms done to it. */
function mutated(honest: readonly Message[], random: () => number): Message {
  const pick = (): Message => honest[Math.floor(random() * honest.length)] as Message;
  let { data, isBinary } = pick();
  data = Buffer.from(data);
  const harms = Math.floor(random() * 5);
  for (let i = 0; i < harms; i++) data = harmed(data, pick().data, random);
  if (random() < 0.05) isBinary = !isBinary;
  return { data: data.subarray(0, LONGEST_BYTES), isBinary };
}

function harmed(data: Buffer, other: Buffer, random: () => number): Buffer {
  const at = Math.floor(random() * (data.length + 1));
  switch (Math.floor(random() * 7)) {
    case 0:
      if (data.length > 0) data[at % data.length] = Math.floor(random() * 256);
      return data;
    case 1:
      return data.subarray(0, at);
    case 2:
      return Buffer.concat([data.subarray(0, at), other.subarray(Math.floor(random() * other.length))]);
    case 3:
      return Buffer.concat([data.subarray(0, at), data.subarray(at), data.subarray(0, at)]);
    case 4:
      return Buffer.concat([data.subarray(0, at), Buffer.from(pick(STRANGE, random)), data.subarray(at)]);
    case 5:
      return Buffer.alloc(Math.floor(random() * LONGEST_BYTES), pick(FILLINGS, random));
    default: {
      const text = data.toString('latin1').replace(/-?\d+/, () => pick(NUMBERS, random));
      return Buffer.from(text, 'latin1');
    }
  }
}

const pick = <T>(from: readonly T[], random: () => number): T =>
  from[Math.floor(random() * from.length)] as T;
const STRANGE = ['null', '"', '{', ']', '\\u0000', '"__proto__":', '[[[[', '\u{1f600}', '\n', '1e999'];
const FILLINGS = ['[', '{"a":', '"', ' ', '\0', 'A', '9'];
const NUMBERS = ['-1', '0', '9007199254740993', '1e308', '00', '"7"', 'null', '99999999999999999999'];

function readMessages(folder: URL): Message[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .flatMap((name) => readFileSync(new URL(name, folder), 'utf8').trimEnd().split('\n'))
    .flatMap((text): Message[] => {
      const line = Line.safeParse(JSON.parse(text));
      if (!line.success) return [];
      return 'text' in line.data
        ? [{ data: Buffer.from(line.data.text), isBinary: false }]
        : [{ data: Buffer.from(line.data.base64, 'base64'), isBinary: true }];
    });
}

/** Credentials of nobody: a decoder asks for none. */
function anyCarriers(): ReadonlyMap<CarrierId, CarrierAdapter> {
  const pem = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).privateKey;
  const pcmu = { encoding: 'pcmu', sampleRate: 8000 } as const;
  return buildCarriers({
    publicUrl: 'https://gateway.example.com',
    twilio: { accountSid: 'AC1', authTokens: ['x'], verifyStream: 'required' },
    telnyx: {
      apiKeys: ['x'],
      publicKeys: [Buffer.alloc(32).toString('base64')],
      audio: pcmu,
      l16Order: 'little',
    },
    plivo: { authId: 'MA1', authTokens: ['x'] },
    vonage: {
      applicationId: 'a',
      privateKeys: [pem],
      signatureSecrets: ['x'],
      sampleRate: 16000,
      verifyStream: 'required',
    },
    signalwire: { space: 'example', projectId: 'p', apiTokens: ['x'], signingKeys: ['x'], audio: pcmu },
    jambonz: { accountSid: 'a', webhookSecrets: ['x'], apiKeys: ['x'], apiBaseUrl: null },
    asterisk: { username: 'a', passwords: ['x'], ari: null },
  });
}

export function formatDecodeBench({ carriers, seed }: DecodeBenchResult): string {
  const us = (value: number): string => value.toFixed(1).padStart(8);
  const spread = ({ medianUs, p99Us, p9999Us, worstUs }: Spread): string =>
    [medianUs, p99Us, p9999Us, worstUs].map(us).join('');
  const rows = carriers.map(
    ({ carrier, messages, threw, decoding, own, idling }) =>
      `  ${carrier.padEnd(11)}${String(messages).padStart(8)}${String(threw).padStart(6)}${spread(own)} |${spread(decoding)} |${spread(idling)}`,
  );
  const heads = ['median', 'p99', 'p99.99', 'worst'].map((head) => head.padStart(8)).join('');
  const titles = ['own: the shortest of three', 'as it took', 'a loop that decodes nothing'];
  return [
    `Decoding mutated messages, seed ${seed}; microseconds a message`,
    `${' '.repeat(27)}${titles.map((title) => title.padStart(32)).join('  ')}`,
    `  carrier    messages threw${heads} |${heads} |${heads}`,
    ...rows,
  ].join('\n');
}
