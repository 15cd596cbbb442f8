/**
 * Two hundred calls at once: the gateway on one core, callers and Gemini's side on the other, the model behind TLS and
 * speaking half of the time; and a bare relay in the gateway's place, in the same run. On a shared machine only the
 * ratios mean anything.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OffhookError } from '../../errors.ts';
import { BenchProcess } from './bench-process.ts';
import type { FromLoad, FromSubject, LoadReport, SubjectReport, ToLoad, ToSubject } from './protocol.ts';

export interface CallBenchOptions {
  readonly calls: number;
  readonly seconds: number;
  /** Script that runs the gateway or the relay, told by its first argument which. */
  readonly subjectScript: string;
  readonly onProgress: (line: string) => void;
}

export interface SubjectFigures {
  readonly cpuMsPerCallSecond: number;
  readonly load: LoadReport;
  readonly added: SubjectReport['added'];
  /** After a collection, at a quarter of the time and at its end. */
  readonly rssEarlyBytes: number;
  readonly rssLateBytes: number;
  /** Resident memory that the calls added, divided by them; and of it what is alive after a collection. */
  readonly residentPerCallBytes: number;
  readonly livePerCallBytes: number;
  /** Handles that are open after the last hang-up and were not before the first call. */
  readonly leftBehind: Readonly<Record<string, number>>;
}

export interface CallBenchResult {
  readonly calls: number;
  readonly seconds: number;
  readonly pinned: boolean;
  readonly gateway: SubjectFigures;
  readonly relay: SubjectFigures;
  readonly cpuRatio: number;
}

const ACCOUNT_SID = `AC${'b'.repeat(32)}`;
const AUTH_TOKEN = 'bench-token-bench-token-bench-tk';
const STEP_MS = 120_000;
const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export async function runCallBench(options: CallBenchOptions): Promise<CallBenchResult> {
  const folder = mkdtempSync(join(tmpdir(), 'offhook-bench-'));
  const pinned = canPin();
  try {
    const tls = await writeCertificate(folder);
    const load = new BenchProcess<ToLoad, FromLoad>({
      what: 'the callers and Gemini’s side',
      args: [
        file('./load-process.ts'),
        file('../../../fixtures/calls/plain-question/caller.wav'),
        file('../../../fixtures/voices/bot/services.wav'),
        tls.keyPath,
        tls.certPath,
      ],
      env: {},
      core: pinned ? 1 : null,
      stepMs: STEP_MS,
    });
    try {
      const { modelUrl } = await load.wait('ready');
      const relay = await measure('relay', options, load, modelUrl, tls.certPath, pinned, folder);
      const gateway = await measure('gateway', options, load, modelUrl, tls.certPath, pinned, folder);
      return {
        calls: options.calls,
        seconds: options.seconds,
        pinned,
        gateway,
        relay,
        cpuRatio: gateway.cpuMsPerCallSecond / relay.cpuMsPerCallSecond,
      };
    } finally {
      await load.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(
  kind: 'gateway' | 'relay',
  options: CallBenchOptions,
  load: BenchProcess<ToLoad, FromLoad>,
  modelUrl: string,
  certPath: string,
  pinned: boolean,
  folder: string,
): Promise<SubjectFigures> {
  const { calls, seconds, onProgress } = options;
  const subject = new BenchProcess<ToSubject, FromSubject>({
    what: `the ${kind}`,
    args: ['--expose-gc', options.subjectScript, kind],
    env: {
      NODE_EXTRA_CA_CERTS: certPath,
      BENCH_MODEL_URL: modelUrl,
      GEMINI_API_KEY: 'bench',
      GOOGLE_GEMINI_BASE_URL: modelUrl,
      TWILIO_ACCOUNT_SID: ACCOUNT_SID,
      TWILIO_AUTH_TOKEN: AUTH_TOKEN,
      PUBLIC_URL: 'http://127.0.0.1:18080',
      HOST: '127.0.0.1',
      PORT: '18080',
      ADMIN_PORT: '18081',
      MAX_CALLS: String(calls + 10),
      DATA_DIR: join(folder, 'data'),
      BOTS_DIR: file('../../../bots'),
    },
    core: pinned ? 0 : null,
    stepMs: STEP_MS,
  });
  try {
    const { url } = await subject.wait('ready');
    const before = await report(subject);
    load.send({ type: 'dial', kind, url, calls, accountSid: ACCOUNT_SID, authToken: AUTH_TOKEN });
    for (;;) {
      const dialled = await load.wait('dialled');
      onProgress(`${kind}: ${dialled.calls} of ${calls} calls up`);
      if (dialled.done) break;
    }
    await sleep(2_000);
    load.send({ type: 'reset' });
    subject.send({ type: 'reset' });
    const startedAtMs = performance.now();
    const cpuBefore = await report(subject);
    await tell(seconds / 4, startedAtMs, kind, seconds, onProgress);
    const early = await report(subject);
    await tell(seconds, startedAtMs, kind, seconds, onProgress);
    const figures = await loadReport(load);
    const late = await report(subject);
    const elapsedMs = performance.now() - startedAtMs;
    load.send({ type: 'hang-up' });
    await load.wait('hung-up');
    await sleep(4_000);
    const after = await report(subject);
    return {
      cpuMsPerCallSecond: (late.cpuMs - cpuBefore.cpuMs) / calls / (elapsedMs / 1000),
      load: figures,
      added: late.added,
      rssEarlyBytes: early.rssBytes,
      rssLateBytes: late.rssBytes,
      residentPerCallBytes: (late.rssBytes - before.rssBytes) / calls,
      livePerCallBytes: (late.heapBytes - before.heapBytes) / calls,
      leftBehind: difference(before.resources, after.resources),
    };
  } finally {
    await subject.stop();
  }
}

async function tell(
  untilSeconds: number,
  startedAtMs: number,
  kind: string,
  seconds: number,
  onProgress: (line: string) => void,
): Promise<void> {
  for (;;) {
    const left = untilSeconds * 1000 - (performance.now() - startedAtMs);
    if (left <= 0) return;
    await sleep(Math.min(5_000, left));
    onProgress(`${kind}: ${Math.round((performance.now() - startedAtMs) / 1000)} of ${seconds} s`);
  }
}

async function report(subject: BenchProcess<ToSubject, FromSubject>): Promise<SubjectReport> {
  subject.send({ type: 'report' });
  return (await subject.wait('report')).report;
}

async function loadReport(load: BenchProcess<ToLoad, FromLoad>): Promise<LoadReport> {
  load.send({ type: 'report' });
  return (await load.wait('report')).report;
}

function difference(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): Record<string, number> {
  const left: Record<string, number> = {};
  for (const [kind, count] of Object.entries(after)) {
    const more = count - (before[kind] ?? 0);
    if (more > 0) left[kind] = more;
  }
  return left;
}

function canPin(): boolean {
  return availableParallelism() >= 2 && spawnSync('taskset', ['-c', '0', 'true']).status === 0;
}

async function writeCertificate(folder: string): Promise<{ keyPath: string; certPath: string }> {
  const { generate } = await import('selfsigned').catch(() => {
    throw new OffhookError(
      'ERR_USAGE',
      'Running the bench: found no package "selfsigned", wanted the development dependencies (npm ci).',
    );
  });
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
    ],
  });
  const keyPath = join(folder, 'key.pem');
  const certPath = join(folder, 'cert.pem');
  writeFileSync(keyPath, made.private, { mode: 0o600 });
  writeFileSync(certPath, made.cert);
  return { keyPath, certPath };
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
