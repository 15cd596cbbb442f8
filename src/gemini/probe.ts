/**
 * Measures what behaviour-rows.ts only guesses, on any endpoint: a few short conversations in text, and with a recording
 * of speech two more. It costs less than a minute and a few thousand tokens. A row that was not seen keeps its guess.
 */
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import { BEHAVIOUR_ROWS, type BehaviourId, type BehaviourValue } from './behaviours.ts';
import { LiveConnectError } from './closes.ts';
import { DEFAULT_MODEL, type Family, type FamilyId, familyOf } from './families.ts';
import type { ConnectLive, LiveConnection } from './live-session.ts';
import { audioMsOf, ProbeWatch } from './probe-watch.ts';
import type { LiveSetup } from './setup.ts';

export interface ProbeOptions {
  readonly clock: Clock;
  readonly model?: string;
  /** For the whole probe; it returns what it has by then. */
  readonly budgetMs?: number;
  /** How long to wait for something that may never come. */
  readonly patienceMs?: number;
  /** A short sentence at 16 kHz without silence at its end; without it the rows about listening are left out. */
  readonly speech?: Int16Array;
  readonly signal?: AbortSignal;
}

export interface ProbeFinding {
  readonly id: BehaviourId;
  /** Null: tried, but what was seen decides nothing. */
  readonly value: BehaviourValue | null;
  readonly evidence: string;
}

export interface ProbeReport {
  readonly model: string;
  readonly family: FamilyId;
  readonly findings: readonly ProbeFinding[];
  readonly tookMs: number;
  /** Why it ended early, or null. */
  readonly problem: string | null;
}

const BUDGET_MS = 60_000;
const PATIENCE_MS = 4_000;
const CONNECT_MS = 8_000;
const SAMPLES_PER_100_MS = 1_600;
const UNKNOWN_HANDLE = 'offhook-probe-no-such-handle';

/**
 * A connection that fails ends the probe, and the report says so.
 * @throws OffhookError `ERR_CONFIG` for a model that cannot be one; nothing else.
 */
export async function runProbe(connect: ConnectLive, options: ProbeOptions): Promise<ProbeReport> {
  const model = options.model ?? DEFAULT_MODEL;
  const { family } = familyOf(model);
  const probe = new Probe(connect, model, family, options);
  const problem = await probe.run();
  return { model, family: family.id, findings: probe.findings, tookMs: probe.elapsedMs, problem };
}

class OutOfTime extends Error {}

class Probe {
  readonly findings: ProbeFinding[] = [];
  readonly #connect: ConnectLive;
  readonly #family: Family;
  readonly #setup: LiveSetup;
  readonly #options: ProbeOptions;
  readonly #startMs: number;
  readonly #open = new Set<LiveConnection>();

  constructor(connect: ConnectLive, model: string, family: Family, options: ProbeOptions) {
    this.#connect = connect;
    this.#family = family;
    this.#options = options;
    this.#startMs = options.clock.now();
    const systemInstruction = 'You are being tested. Do exactly what you are asked, in English.';
    this.#setup = { model, systemInstruction, voice: null, language: null };
  }

  get elapsedMs(): number {
    return this.#options.clock.now() - this.#startMs;
  }

  async run(): Promise<string | null> {
    try {
      await this.#unknownHandle();
      await this.#conversation();
      if (this.#options.speech !== undefined) await this.#listening(this.#options.speech);
      return null;
    } catch (caught) {
      if (caught instanceof OutOfTime) return 'the time for the probe was over';
      return messageOf(caught);
    } finally {
      await Promise.all([...this.#open].map((connection) => connection.close()));
    }
  }

  async #unknownHandle(): Promise<void> {
    const outcome = await this.#tryResume(UNKNOWN_HANDLE);
    if (!(outcome instanceof LiveConnectError)) {
      this.#note('notFoundCode', null, 'a handle that never was is let in');
      return;
    }
    const { closeCode, message } = outcome;
    if (closeCode === 1007) this.#note('notFoundCode', '1007-handle', message);
    else if (/session not found/i.test(message)) this.#note('notFoundCode', '1008-session', message);
    else if (/entity was not found/i.test(message)) this.#note('notFoundCode', '1008-entity', message);
    else this.#note('notFoundCode', null, message);
  }

  async #conversation(): Promise<void> {
    const { watch, connection } = await this.#talk();
    await this.#plainTurn(watch, connection);
    await this.#interruptedTurn(watch, connection);
    await this.#noteAsText(watch, connection);
    await this.#handles(watch, connection);
  }

  async #plainTurn(watch: ProbeWatch, connection: LiveConnection): Promise<void> {
    connection.sendText('Count aloud from one to eight.');
    const whole = await watch.until(() => watch.find('turn-complete') >= 0, 4 * this.#patienceMs);
    const firstAudio = watch.find('audio');
    if (!whole || firstAudio < 0)
      throw new Error('Asking for one answer: found no turn with audio, wanted one');
    // What trails behind the turn, a transcript above all.
    await watch.until(() => false, this.#patienceMs / 4);

    const { seen } = watch;
    const end = watch.find('turn-complete');
    const generated = watch.find('generation-complete');
    const audioMs = Math.round(audioMsOf(seen.slice(0, end)));
    if (generated >= 0 && generated < end) {
      const waitedMs = seen[end]!.atMs - seen[generated]!.atMs;
      const unplayedMs = audioMs - (seen[generated]!.atMs - seen[firstAudio]!.atMs);
      const evidence = `turnComplete ${Math.round(waitedMs)} ms after generationComplete, with ${Math.round(unplayedMs)} ms unplayed`;
      const decided = unplayedMs > 500;
      this.#note('turnCompleteWaitsForPlayback', decided ? waitedMs > unplayedMs / 2 : null, evidence);
    }
    const transcript = watch.find('output-transcript');
    if (transcript >= 0) {
      const last = seen.findLastIndex(({ event }) => event.type === 'output-transcript');
      const order = last > end ? 'after-turn' : transcript < firstAudio ? 'leads-audio' : 'trails-audio';
      this.#note(
        'outputTranscriptOrder',
        order,
        `transcripts at ${transcript} to ${last}, audio from ${firstAudio}, end ${end}`,
      );
    }
    const reports = seen.filter(({ event }) => event.type === 'usage').length;
    if (reports > 0) {
      this.#note(
        'usageReports',
        reports > 2 ? 'chunk-deltas' : 'turn-totals',
        `${reports} usage reports in one turn`,
      );
    }
    const stop = generated >= 0 ? generated : end;
    const amid = seen.slice(firstAudio, stop).some(({ event }) => event.type === 'resumption');
    this.#note(
      'updateWhileGenerating',
      amid ? null : 'none',
      amid ? 'some came' : 'none came between first audio and end',
    );
  }

  async #interruptedTurn(watch: ProbeWatch, connection: LiveConnection): Promise<void> {
    const from = watch.seen.length;
    connection.sendText('Tell me a long story about a lighthouse.');
    if (!(await watch.until(() => watch.find('audio', from) >= 0, 2 * this.#patienceMs))) return;
    const cutFrom = watch.seen.length;
    connection.sendText('Stop. Say only: yes.');
    const cut = await watch.until(() => watch.find('interrupted', cutFrom) >= 0, this.#patienceMs);
    // clientContent is documented to interrupt; the question is about the other way to send text.
    if (this.#family.textBy === 'realtime-input') {
      const evidence = cut ? 'interrupted came after a text' : 'no interrupted came after a text';
      this.#note('interruptionOfTextTrigger', cut, evidence);
    }
    if (!cut) return;
    const at = watch.find('interrupted', cutFrom);
    const followed = await watch.until(() => watch.find('turn-complete', at) >= 0, this.#patienceMs);
    this.#note('turnCompleteFollowsInterrupted', followed, followed ? 'it came' : 'it did not come');
    const before = watch.find('turn-complete', cutFrom);
    this.#note(
      'interruptedMayFollowTurnComplete',
      before >= 0 && before < at ? true : null,
      before >= 0 && before < at ? 'turnComplete came first' : 'not this time',
    );
    const shares = watch.seen.some(
      ({ event, message }) => event.type === 'audio' && message === watch.seen[at]!.message,
    );
    this.#note(
      'interruptedSharesMessage',
      shares,
      shares ? 'with audio in its message' : 'alone in its message',
    );
    if (followed) {
      const stale = watch.seen
        .slice(at, watch.find('turn-complete', at))
        .filter(({ event }) => event.type === 'audio').length;
      const nearest = stale === 0 ? 0 : stale < 3 ? 1 : 3;
      this.#note(
        'staleChunksAfterInterrupt',
        nearest,
        `${stale} chunks between interrupted and turnComplete`,
      );
    }
    const answered = watch.seen.length;
    await watch.until(() => watch.find('turn-complete', answered) >= 0, 2 * this.#patienceMs);
  }

  /** Notes are what a gateway tells the model about the call ("the caller pressed 1"); do they make it speak? */
  async #noteAsText(watch: ProbeWatch, connection: LiveConnection): Promise<void> {
    const from = watch.seen.length;
    if (!connection.sendText('(For your information only: the line is good.)')) return;
    const spoke = await watch.until(() => watch.find('audio', from) >= 0, this.#patienceMs);
    if (watch.close !== null) return;
    this.#note('textNoteIsAnswered', spoke, spoke ? 'audio came after a note' : 'no audio came after a note');
    if (spoke) await watch.until(() => watch.find('turn-complete', from) >= 0, 2 * this.#patienceMs);
  }

  async #handles(watch: ProbeWatch, connection: LiveConnection): Promise<void> {
    const handles = watch.seen.flatMap(({ event }) =>
      event.type === 'resumption' && event.resumable && event.handle !== null ? [event.handle] : [],
    );
    const newest = handles.at(-1);
    if (newest === undefined || watch.close !== null) return;
    const beside = await this.#tryResume(newest);
    const refused = beside instanceof LiveConnectError;
    this.#note(
      'oldSocketOpenRefused',
      !refused ? false : beside.closeCode === 1011 ? true : null,
      refused ? beside.message : 'a second connection of the same session was let in',
    );

    connection.sendToolResponses([{ id: 'offhook-probe-no-such-call', name: 'none', response: {} }]);
    await watch.until(() => false, this.#patienceMs / 2);
    const code = (watch.close as { code: number } | null)?.code ?? null;
    this.#note(
      'unknownToolId',
      code === null ? 'ignored' : code === 1007 ? 'close-1007' : null,
      code === null ? 'the connection stayed' : `closed with ${code}`,
    );
    await connection.close();
    await this.#earlierHandle([...new Set(handles)]);
  }

  async #earlierHandle(handles: readonly string[]): Promise<void> {
    const [oldest, beforeLast] = [handles[0], handles.at(-2)];
    if (handles.length < 3 || oldest === undefined || beforeLast === undefined) return;
    // The server may still take the old connection for open: that would look like a refused handle.
    await new ProbeWatch(this.#options.clock).until(() => false, this.#patienceMs / 2);
    const first = await this.#tryResume(oldest);
    if (!(first instanceof LiveConnectError)) {
      this.#note('earlierHandlesUsable', 'all', `the first of ${handles.length} handles was taken`);
      return;
    }
    const second = await this.#tryResume(beforeLast);
    const taken = !(second instanceof LiveConnectError);
    const clear = first.closeClass === 'handle-refused' && (taken || second.closeClass === 'handle-refused');
    this.#note('earlierHandlesUsable', clear ? (taken ? 'last-two' : 'newest') : null, first.message);
  }

  async #listening(speech: Int16Array): Promise<void> {
    const gap = await this.#answersTo(speech, () => {});
    this.#note('gapCountsAsSilence', gap, `${gap ? 'an' : 'no'} answer after speech and then nothing`);
    const signal = await this.#answersTo(speech, (connection) => connection.sendAudioStreamEnd());
    const decided = !gap;
    this.#note(
      'audioStreamEndEndsTurn',
      decided ? signal : null,
      decided ? `${signal ? 'an' : 'no'} answer after audioStreamEnd` : 'the gap alone ends the turn',
    );
  }

  async #answersTo(speech: Int16Array, then: (connection: LiveConnection) => void): Promise<boolean> {
    const { watch, connection } = await this.#talk();
    for (let from = 0; from < speech.length; from += SAMPLES_PER_100_MS) {
      connection.sendAudio(speech.subarray(from, from + SAMPLES_PER_100_MS));
      await watch.until(() => false, 100);
      this.#checkTime();
    }
    then(connection);
    const answered = await watch.until(() => watch.find('audio') >= 0, this.#patienceMs);
    await connection.close();
    return answered;
  }

  /** Null when the connection came about; it is closed at once. */
  async #tryResume(handle: string): Promise<LiveConnectError | null> {
    try {
      const { connection } = await this.#talk(handle);
      await connection.close();
      return null;
    } catch (caught) {
      if (caught instanceof LiveConnectError && caught.closeCode !== null) return caught;
      throw caught;
    }
  }

  async #talk(handle: string | null = null): Promise<{ watch: ProbeWatch; connection: LiveConnection }> {
    this.#checkTime();
    const watch = new ProbeWatch(this.#options.clock);
    const setup = { ...this.#setup, resumption: { handle } };
    const connection = await this.#connect(setup, watch, {
      signal: this.#options.signal ?? new AbortController().signal,
      deadlineMs: Math.min(CONNECT_MS, this.#leftMs),
      need: 'new-call',
    });
    this.#open.add(connection);
    return { watch, connection };
  }

  get #leftMs(): number {
    return (this.#options.budgetMs ?? BUDGET_MS) - this.elapsedMs;
  }

  get #patienceMs(): number {
    return Math.max(0, Math.min(this.#options.patienceMs ?? PATIENCE_MS, this.#leftMs / 4));
  }

  #checkTime(): void {
    if (this.#leftMs <= 0 || this.#options.signal?.aborted === true) throw new OutOfTime();
  }

  #note(id: BehaviourId, value: BehaviourValue | null, evidence: string): void {
    const allowed: readonly BehaviourValue[] = BEHAVIOUR_ROWS[id].values;
    this.findings.push({ id, value: value !== null && allowed.includes(value) ? value : null, evidence });
  }
}
