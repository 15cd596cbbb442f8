import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { convertOffline } from '../../src/audio/offline.ts';
import { parseWav, writeWav } from '../../src/audio/wav.ts';
import { runCli } from '../../src/cli/program.ts';
import { connectDocument, startScriptedGateway } from '../support/scripted-gateway.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'offhook-cli-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function run(args: readonly string[], env: Record<string, string> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCli(args, {
    out: (text) => out.push(text),
    err: (text) => err.push(text),
    draw: () => {},
    env,
    isTerminal: false,
    columns: 80,
    stopSignal: () => new AbortController().signal,
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

/** A wrong use ends with 1 and one sentence; what is wanted is in it. */
function expectSentence(result: Awaited<ReturnType<typeof run>>, ...parts: string[]): void {
  expect(result.code).toBe(1);
  expect(result.err.startsWith('offhook: ')).toBe(true);
  expect(result.err).not.toMatch(/\n\s+at /);
  expect(result.err).not.toContain('This is a bug');
  for (const part of parts) expect(result.err).toContain(part);
}

const credentials = { TWILIO_ACCOUNT_SID: `AC${'0'.repeat(32)}`, TWILIO_AUTH_TOKEN: 'f'.repeat(32) };

function writeTone(name: string, sampleRate: number, seconds = 0.2): string {
  const samples = Int16Array.from({ length: sampleRate * seconds }, (_, n) =>
    Math.round(6_000 * Math.sin((2 * Math.PI * 440 * n) / sampleRate)),
  );
  const path = join(dir, name);
  writeFileSync(path, writeWav(sampleRate, [samples]));
  return path;
}

describe('what is used wrongly is told in one sentence:', () => {
  it('an unknown command', async () => expectSentence(await run(['dance']), 'dance'));
  it('an unknown option', async () => expectSentence(await run(['call', '--loud']), '--loud'));
  it('a number that is none', async () =>
    expectSentence(await run(['call', 'x.wav', '--delay', 'soon']), 'soon', 'from 0 up'));
  it('a late share without milliseconds', async () =>
    expectSentence(await run(['call', 'x.wav', '--late', '5']), 'such as 2:150'));
  it('a carrier that is not played', async () =>
    expectSentence(await run(['call', 'x.wav', '--carrier', 'acme']), 'acme', 'twilio'));
  it('an address that is none', async () =>
    expectSentence(
      await run(['call', 'x.wav', '--url', 'localhost:8080']),
      '"localhost:8080"',
      'http or https',
    ));
  it('no recording', async () => expectSentence(await run(['call']), 'a WAV file'));
  it('a recording that is not there', async () =>
    expectSentence(await run(['call', join(dir, 'none.wav')]), 'none.wav', 'ENOENT'));
  it('a recording that is no WAV', async () => {
    const path = join(dir, 'text.wav');
    writeFileSync(path, 'this is text, not sound');
    expectSentence(await run(['call', path]), 'text.wav', 'RIFF');
  });
  it('an empty recording', async () => {
    const path = join(dir, 'empty.wav');
    writeFileSync(path, writeWav(8_000, [new Int16Array(0)]));
    expectSentence(await run(['call', path]), 'empty.wav');
  });
  it('a scenario with faults', async () => {
    const path = join(dir, 'scenario.yaml');
    writeFileSync(path, 'caller: { wav: none.wav }\nsurprise: 1\n');
    expectSentence(await run(['call', '--scenario', path]), 'none.wav');
  });
  it('no credentials to sign with', async () =>
    expectSentence(
      await run(['call', writeTone('a.wav', 8_000)], { DATA_DIR: dir }),
      dir,
      'TWILIO_AUTH_TOKEN',
    ));
  it('a gateway that does not answer', async () =>
    expectSentence(
      await run(['call', writeTone('a.wav', 8_000), '--url', 'http://127.0.0.1:9'], credentials),
      'http://127.0.0.1:9',
    ));
  it('a demo that does not exist', async () =>
    expectSentence(await run(['demo', 'opera', '--out', dir]), '"opera"', 'plain-question'));
  it('a probe without a key', async () => expectSentence(await run(['probe']), 'GEMINI_API_KEY'));
  it('a folder without bots', async () => expectSentence(await run(['bots', 'check', '--dir', dir]), dir));
});

it('a stack trace is for whoever asked for one', async () => {
  const { err } = await run(['call', join(dir, 'none.wav')], { LOG_LEVEL: 'debug' });
  expect(err).toMatch(/\n\s+at /);
});

it('every command explains itself with examples', async () => {
  for (const command of [
    ['serve'],
    ['demo'],
    ['call'],
    ['emulator'],
    ['bench'],
    ['probe'],
    ['bots', 'check'],
  ]) {
    const { code, out } = await run([...command, '--help']);
    expect(code).toBe(0);
    expect(out, command.join(' ')).toMatch(/Examples:\n {2}\$ .*offhook|Examples:\n {2}\$ /);
  }
});

it('the recorded calls are listed, each with what happens in it', async () => {
  const { code, out } = await run(['demo', '--list', '--json']);
  expect(code).toBe(0);
  const folders = readdirSync(new URL('../../fixtures/calls/', import.meta.url));
  const listed = JSON.parse(out) as { name: string; description: string }[];
  expect(listed.map(({ name }) => name)).toEqual(folders.sort());
  for (const { description } of listed) expect(description.length).toBeGreaterThan(10);
});

it('bots are checked one by one', async () => {
  const good = await run(['bots', 'check', '--dir', new URL('../../bots', import.meta.url).pathname]);
  expect(good.code).toBe(0);
  expect(good.out).toMatch(/^ok {2}/m);
});

describe('a call', () => {
  const authToken = credentials.TWILIO_AUTH_TOKEN;

  it('goes from the file to the report: recording, page and table', async () => {
    const gateway = await startScriptedGateway({
      authToken,
      voice: connectDocument,
      onMessage: (message, stream) => {
        if (message['event'] === 'start') {
          stream.send({ event: 'media', media: { payload: Buffer.alloc(800, 0x20).toString('base64') } });
          stream.send({ event: 'mark', mark: { name: 'end' } });
        }
        if (message['event'] === 'mark') stream.close();
      },
    });
    try {
      // 16 kHz on purpose: it is converted.
      const path = writeTone('hello.wav', 16_000, 2);
      const { code, out } = await run(
        ['call', path, '--url', gateway.url, '--out', join(dir, 'out')],
        credentials,
      );
      expect(code).toBe(0);
      expect(out).toMatch(/received, heard +0\.10 s, 0\.10 s/);
      expect(existsSync(join(dir, 'out', 'hello.html'))).toBe(true);
      const recording = parseWav(readFileSync(join(dir, 'out', 'hello.wav')));
      const heard = recording.channels[1]!.filter((sample) => Math.abs(sample) > 100);
      expect(heard.length).toBe(800);
      const original = convertOffline(parseWav(readFileSync(path)).channels[0]!, 16_000, 8_000);
      // G.711 at this level is off by some hundred at most.
      const said = recording.channels[0]!;
      for (let n = 0; n < Math.min(said.length, 400); n += 1) {
        expect(Math.abs(said[n]! - original[n]!)).toBeLessThan(300);
      }
    } finally {
      await gateway.close();
    }
  });

  it('prints nothing but JSON when asked for JSON, and fails when an expectation is not met', async () => {
    const gateway = await startScriptedGateway({
      authToken,
      voice: connectDocument,
      onMessage: (message, stream) => {
        if (message['event'] === 'start') stream.close();
      },
    });
    try {
      writeTone('hello.wav', 8_000, 2);
      const scenario = join(dir, 'scenario.yaml');
      writeFileSync(scenario, 'caller: { wav: hello.wav }\nexpect: { bargeIns: 1 }\n');
      const { code, out } = await run(
        ['call', '--scenario', scenario, '--url', gateway.url, '--json'],
        credentials,
      );
      expect(code).toBe(1);
      const result = JSON.parse(out);
      expect(result.end.by).toBe('gateway');
      expect(result.unmet).toEqual(['0 barge-ins were seen; the scenario expects 1.']);
    } finally {
      await gateway.close();
    }
  });
});
