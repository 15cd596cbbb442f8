/** The load's process: callers and Gemini's side together on one core. Started by the bench, told what to do by messages. */
import { readFileSync } from 'node:fs';
import { convertOffline } from '../../audio/offline.ts';
import { mixToMono, parseWav } from '../../audio/wav.ts';
import { messageOf } from '../../errors.ts';
import { CYCLE_FRAMES, type ModelSink, startModelSink } from './load/model-sink.ts';
import { PhoneBank } from './load/phone-bank.ts';
import type { FromLoad, ToLoad } from './protocol.ts';

const [callerPath, voicePath, keyPath, certPath] = process.argv.slice(2) as [string, string, string, string];
const CYCLE_SAMPLES = CYCLE_FRAMES * 160;
const SPOKEN_MS = 5_000;
/** The caller speaks while the model does not: it begins to speak at half a second and stops at five and a half. */
const SPEECH_AT_SAMPLE = 8_000 * 6;
const SPEECH_SAMPLES = 8_000 * 3;

function read(path: string, rate: number): Int16Array {
  const audio = parseWav(readFileSync(path));
  return convertOffline(mixToMono(audio), audio.sampleRate, rate);
}

/** Ten seconds of line noise with three seconds of speech in them. */
function callerCycle(): Int16Array {
  const recorded = read(callerPath, 8_000);
  const cycle = recorded.slice(0, CYCLE_SAMPLES);
  // The recording's first five seconds are the quiet line; its first words follow.
  const quiet = recorded.subarray(0, 8_000 * 5);
  for (let at = 0; at < CYCLE_SAMPLES; at += quiet.length)
    cycle.set(quiet.subarray(0, CYCLE_SAMPLES - at), at);
  const speechFrom = 8_000 * 5.6;
  cycle.set(recorded.subarray(speechFrom, speechFrom + SPEECH_SAMPLES), SPEECH_AT_SAMPLE);
  return cycle;
}

const say = (message: FromLoad): void => {
  process.send?.(message);
};

let bank: PhoneBank | null = null;
let turns = 0;

async function dial(request: Extract<ToLoad, { type: 'dial' }>): Promise<void> {
  bank = new PhoneBank(callerCycle());
  for (let i = 0; i < request.calls; i++) {
    if (request.kind === 'gateway') {
      await bank.call(request);
    } else {
      await bank.connect(`${request.url.replace(/^http/, 'ws')}/twilio/media/bench`, `CA${i}`, request);
    }
    // One after the other, so that the n-th call has the n-th connection to the model.
    while (sink.connections < i + 1) await new Promise((resolve) => setTimeout(resolve, 2));
    if ((i + 1) % 20 === 0 || i + 1 === request.calls)
      say({ type: 'dialled', calls: i + 1, done: i + 1 === request.calls });
  }
}

const sink: ModelSink = await startModelSink(
  { key: readFileSync(keyPath, 'utf8'), cert: readFileSync(certPath, 'utf8') },
  read(voicePath, 24_000).subarray(0, SPOKEN_MS * 24),
  {
    onChunk: (call, chunk) => bank?.chunkArrived(call, chunk),
    onTurn: (call) => {
      turns += 1;
      bank?.turnBegan(call);
    },
  },
);

process.on('message', (message: ToLoad) => {
  switch (message.type) {
    case 'dial':
      sink.restart();
      dial(message).catch((caught: unknown) => say({ type: 'failed', message: messageOf(caught) }));
      break;
    case 'reset':
      bank?.resetFigures();
      turns = 0;
      break;
    case 'report':
      if (bank !== null) {
        const { user, system } = process.cpuUsage();
        say({
          type: 'report',
          report: {
            calls: bank.size,
            upP50: bank.up.quantile(0.5),
            upP99: bank.up.quantile(0.99),
            downP50: bank.down.quantile(0.5),
            downP99: bank.down.quantile(0.99),
            frames: bank.up.count,
            lateUp: bank.up.above(20),
            lateDown: bank.lateOutbound,
            turns,
            messagesReceived: bank.messagesReceived,
            closed: bank.closed,
            cpuMs: (user + system) / 1000,
          },
        });
      }
      break;
    case 'hang-up':
      bank?.hangUp();
      say({ type: 'hung-up' });
      break;
    case 'stop':
      process.exit(0);
  }
});
process.on('disconnect', () => process.exit(0));
say({ type: 'ready', modelUrl: sink.url });
