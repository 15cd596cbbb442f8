/** The commands and their options. What a command needs is imported when it runs, so that `--help` is instant. */
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { messageOf, OffhookError } from '../errors.ts';
import { CARRIERS } from '../lab/caller/call-run.ts';
import type { CliIo } from './io.ts';
import { LAB_DEFAULTS } from './lab-defaults.ts';

/** @returns the process's exit code: 0, or 1 for every kind of failure. Never rejects. */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  let exitCode = 0;
  const program = buildProgram(io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (caught) {
    // Help and version end the parsing with code 0.
    if (caught instanceof CommanderError) return caught.exitCode === 0 ? 0 : 1;
    reportFailure(caught, io);
    return 1;
  }
}

/** One sentence for a person. A stack trace is for whoever asked for one. */
function reportFailure(caught: unknown, io: CliIo): void {
  io.err(`offhook: ${messageOf(caught)}`);
  const wantsStack = ['debug', 'trace'].includes(io.env['LOG_LEVEL'] ?? '');
  if (caught instanceof Error && wantsStack) io.err(caught.stack ?? '');
  else if (!(caught instanceof OffhookError))
    io.err('This is a bug; LOG_LEVEL=debug shows where it happened.');
}

function buildProgram(io: CliIo, exitWith: (code: number) => void): Command {
  const program = new Command('offhook')
    .description('Puts Gemini Live on a phone number.')
    .addHelpText('after', examples(['npm run demo', 'npm start', 'npm run call -- caller.wav']));

  program
    .command('serve')
    .description('run the gateway; settings come from the environment')
    .addHelpText('after', examples(['offhook serve', 'PORT=9000 GEMINI_API_KEY=… offhook serve']))
    .action(async () => (await import('./commands/serve.ts')).serve(io));

  program
    .command('demo')
    .description('play a recorded call through a gateway to an emulated model, and report on it')
    .argument('[name]', 'one of the recorded calls')
    .option('--list', 'list the recorded calls')
    .option('--long', 'half an hour in seconds: one call on virtual time, over many connections')
    .option('--out <dir>', 'where recording and report are written', 'out')
    .option('--json', 'print the measures as JSON')
    .addHelpText('after', examples(['offhook demo', 'offhook demo noisy-dtmf', 'offhook demo --long']))
    .action(async (name: string | undefined, options) =>
      exitWith(await (await import('./commands/demo.ts')).demo(name, options, io)),
    );

  program
    .command('call')
    .description('call any gateway as a simulated carrier with a recorded caller')
    .argument('[file]', 'the caller: a WAV file of 8 to 48 kHz; left out, the one of the scenario')
    .option('--url <url>', 'the gateway’s public listener', 'http://127.0.0.1:8080')
    .option('--public-url <url>', 'what the gateway calls itself, when that differs (PUBLIC_URL)')
    .option('--scenario <file>', 'caller, keys, the bot’s clips and what is expected')
    .option(
      '--emulator <url>',
      'the emulator behind the gateway: gets the scenario, and what it heard is compared; that of a gateway in lab mode is found by itself',
    )
    .option('--from <number>', 'the caller’s number')
    .option('--to <number>', 'the number called')
    .option('--carrier <name>', 'the carrier to play', oneOf(CARRIERS), 'twilio')
    .option('--delay <ms>', 'network delay, one way', milliseconds, 0)
    .option('--jitter <ms>', 'the delay varies by this, up and down', milliseconds, 0)
    .option('--late <percent:ms>', 'part of all messages that is late, and by how much', lateShare)
    .option('--seed <n>', 'of the network’s dice', milliseconds, 1)
    .option('--max-seconds <n>', 'hang up after this', milliseconds, 600)
    .option('--out <dir>', 'write recording and report here')
    .option('--json', 'print the measures as JSON')
    .addHelpText(
      'after',
      examples([
        'offhook call caller.wav',
        'offhook call caller.wav --delay 60 --jitter 20 --late 2:150 --out out',
        'offhook call --scenario fixtures/calls/plain-question/scenario.yaml',
      ]) +
        '\n\nThe signature is made with TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or with those that a\ngateway in lab mode has left in DATA_DIR (./data); for another carrier with the settings that the\ngateway has for it.',
    )
    .action(async (file: string | undefined, options) =>
      exitWith(await (await import('./commands/call.ts')).call(file, options, io)),
    );

  program
    .command('emulator')
    .description('run a Gemini Live emulator')
    .option('--host <host>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on; 0 takes a free one', port, 9090)
    .option('--scenario <file>', 'what the model answers; left out, a bot that talks about anything')
    .addHelpText(
      'after',
      examples(['offhook emulator', 'GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:9090 offhook serve']),
    )
    .action(async (options) => (await import('./commands/emulator.ts')).emulator(options, io));

  program
    .command('bench')
    .description(
      'measure on this machine: the audio path, what broken messages of carriers cost, many calls at once beside a bare relay, or what a call notices of its connections being replaced',
    )
    .argument(
      '[what]',
      'audio, decode, calls or rotation',
      oneOf(['audio', 'decode', 'calls', 'rotation']),
      'audio',
    )
    .option('--calls <n>', 'how many at once; left out, calls: 200, rotation: 50', whole)
    .option(
      '--seconds <n>',
      'calls: how long each of the two is measured; rotation: each of three rounds',
      whole,
      60,
    )
    .option('--json', 'print the figures as JSON')
    .addHelpText(
      'after',
      examples([
        'offhook bench',
        'offhook bench calls',
        'offhook bench calls --calls 50 --seconds 15 --json',
        'offhook bench decode',
        'offhook bench rotation',
      ]),
    )
    .action(async (what: string, options) =>
      exitWith(await (await import('./commands/bench.ts')).bench(what, options, io)),
    );

  program
    .command('lab')
    .description(
      'simulate calls by the hundred on virtual time, under faults by chance, and look for what breaks',
    )
    .option('--calls <n>', 'how many', whole, LAB_DEFAULTS.calls)
    .option('--minutes <n>', 'how long a call is, on average', milliseconds, LAB_DEFAULTS.minutes)
    .option('--seed <n>', 'the same seed makes the same calls', milliseconds, LAB_DEFAULTS.seed)
    .option('--only <call>', 'judge this call alone, in the company that it had', milliseconds)
    .option('--together <n>', 'calls that share a process', whole, LAB_DEFAULTS.together)
    .option('--faults <kinds>', 'all, none, or names with commas between', LAB_DEFAULTS.faults)
    .option('--mean <minutes>', 'between two faults of the service', milliseconds, LAB_DEFAULTS.mean)
    .option('--model <families>', 'families of models, with commas between; left out, all')
    .option('--no-behaviours', 'only the likeliest answers to what nobody knows about the service')
    .option(
      '--audio <kind>',
      'counters: every sample is numbered; real: voices',
      oneOf(['counters', 'real']),
      LAB_DEFAULTS.audio,
    )
    .option('--hours <n>', 'go on until so many call-hours', milliseconds)
    .option('--seconds <n>', 'stop after so much real time', milliseconds)
    .option('--trace <file>', 'write the journal of the call of --only, a line an entry')
    .option('--json', 'print the findings as JSON')
    .addHelpText(
      'after',
      examples([
        'offhook lab --calls 20 --minutes 10',
        'offhook lab --hours 100 --seed 7',
        'offhook lab --seed 7 --only 12 --trace call-12.jsonl',
      ]),
    )
    .action(async (options) => exitWith(await (await import('./commands/lab.ts')).lab(options, io)));

  program
    .command('dial')
    .description('have a gateway call somebody: the bot talks with whoever answers')
    .requiredOption('--carrier <name>', 'the carrier that places the call', oneOf(CARRIERS))
    .requiredOption('--from <number>', 'a number of yours at that carrier, such as +15551230001')
    .requiredOption('--to <number>', 'whom to call; DIAL_ALLOW has to name the number')
    .option('--bot <name>', 'the bot that talks; left out, the one that answers calls to --from')
    .option('--url <url>', 'the gateway’s admin listener (http://127.0.0.1:ADMIN_PORT)')
    .option('--token <token>', 'its token (ADMIN_TOKEN)')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      examples([
        'offhook dial --carrier telnyx --from +15551230001 --to +15551230002',
        'ADMIN_TOKEN=… offhook dial --carrier plivo --from +15551230001 --to +15551230002 --bot reminder',
      ]),
    )
    .action(async (options) => exitWith(await (await import('./commands/dial.ts')).dial(options, io)));

  program
    .command('probe')
    .description('ask the real Gemini Live what its documents leave open; needs a key and costs a few cents')
    .option('--model <name>', 'the model to ask')
    .option('--speech <file>', 'a short spoken sentence as WAV, for the questions about listening')
    .option('--json', 'print the findings as JSON')
    .addHelpText(
      'after',
      examples(['GEMINI_API_KEY=… offhook probe', 'offhook probe --model gemini-3.8-live --json']),
    )
    .action(async (options) => exitWith(await (await import('./commands/probe.ts')).probe(options, io)));

  program
    .command('bots')
    .description('work with the bots')
    .command('check')
    .description('read every bot and list what is wrong with it')
    .option('--dir <dir>', 'the bots’ folder (BOTS_DIR, ./bots)')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', examples(['offhook bots check', 'offhook bots check --dir /srv/bots']))
    .action(async (options) => exitWith((await import('./commands/bots-check.ts')).botsCheck(options, io)));

  for (const command of allCommands(program)) {
    command.exitOverride().configureOutput({
      writeOut: (text) => io.out(text.trimEnd()),
      writeErr: (text) => io.err(text.trimEnd()),
      outputError: (text, write) => write(`offhook: ${text.replace(/^error: /, '')}`),
    });
  }
  return program;
}

const allCommands = (command: Command): Command[] => [command, ...command.commands.flatMap(allCommands)];

const examples = (lines: readonly string[]): string =>
  `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`;

function milliseconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError('A number from 0 up is wanted.');
  }
  return value;
}

function whole(text: string): number {
  const value = milliseconds(text);
  if (!Number.isInteger(value) || value < 1 || value > 2_000) {
    throw new InvalidArgumentError('A whole number from 1 to 2000 is wanted.');
  }
  return value;
}

function port(text: string): number {
  const value = milliseconds(text);
  if (!Number.isInteger(value) || value > 65_535) throw new InvalidArgumentError('0 to 65535 is wanted.');
  return value;
}

function lateShare(text: string): { share: number; byMs: number } {
  const [, percent, byMs] = /^(\d+(?:\.\d+)?)%?:(\d+(?:\.\d+)?)$/.exec(text) ?? [];
  if (percent === undefined || Number(percent) > 100) {
    throw new InvalidArgumentError('Percent and milliseconds are wanted, such as 2:150.');
  }
  return { share: Number(percent) / 100, byMs: Number(byMs) };
}

const oneOf =
  (values: readonly string[]) =>
  (text: string): string => {
    if (!values.includes(text)) throw new InvalidArgumentError(`${values.join(' or ')} is wanted.`);
    return text;
  };
