/**
 * What nobody outside Google knows for sure about Gemini Live: one row per fact, with every answer that documents or
 * traces have given, the answer that seems likeliest, and where it comes from. The gateway must work under every value;
 * the emulator can play each. What is certain does not belong here but into families.ts.
 *
 * Sources: "reference" is the WebSocket reference and "guide" the Live guides on ai.google.dev; `repo#n` is an issue or
 * pull request on GitHub; "recording" is traffic in the test data of googleapis/js-genai or go-genai.
 */
import type { FamilyId } from './families.ts';

export type BehaviourValue = string | number | boolean;

/** `documented`: Google says so. `reported`: seen by others in traces. `inferred`: follows from those. `unknown`: a guess. */
export type Confidence = 'documented' | 'reported' | 'inferred' | 'unknown';

export interface BehaviourRow<V extends BehaviourValue> {
  /** One question, and what each value means where its name does not say it. */
  readonly question: string;
  readonly values: readonly V[];
  readonly usual: V;
  /** Where a family is thought to differ from `usual`. */
  readonly byFamily: Readonly<Partial<Record<FamilyId, V>>>;
  readonly source: string;
  readonly confidence: Confidence;
}

function row<const V extends BehaviourValue>(
  question: string,
  values: readonly V[],
  usual: NoInfer<V>,
  confidence: Confidence,
  source: string,
  byFamily: Readonly<Partial<Record<FamilyId, NoInfer<V>>>> = {},
): BehaviourRow<V> {
  return { question, values, usual, byFamily, source, confidence };
}

const flags = [false, true] as const;

export const BEHAVIOUR_ROWS = {
  // Resumption: what a handle is good for.
  handleHoldsOpenUtterance: row(
    'Does a handle given out while the caller speaks hold what was said of that utterance so far?',
    flags,
    false,
    'inferred',
    'guide: the state of a handle is the conversation up to its checkpoint; audio sent after it is lost',
  ),
  updatesWhileCallerSpeaks: row(
    'Are new handles given out while an utterance is open, or only between turns?',
    flags,
    true,
    'reported',
    'gemini-live-api-examples#38: an update about every 0.9 s',
  ),
  updateWhileGenerating: row(
    'What comes while the model generates or waits for a tool: `{resumable:false}`, `{}`, or no update at all?',
    ['not-resumable', 'empty', 'none'],
    'not-resumable',
    'documented',
    'reference: resumable is false while generating or executing tools; recordings hold empty updates',
  ),
  handleWhileCallWaits: row(
    'What of handles while a call that does not hold up the model waits for its answer: there are none, the resumed session waits for that answer, or it knows nothing of the call?',
    ['none', 'keeps', 'forgets'],
    'none',
    'inferred',
    'reference: resumable is false while executing tools; nothing is said of those that run beside the conversation',
  ),
  earlierHandlesUsable: row(
    'Which handles of a session are taken: every one, the last two, or the newest alone?',
    ['all', 'last-two', 'newest'],
    'all',
    'unknown',
    'SDK: resuming with the previous token while not resumable loses some data, so it must be accepted',
  ),
  handleLifetimeMs: row(
    'How long after its connection ended is a handle taken?',
    [600_000, 7_200_000, 86_400_000],
    7_200_000,
    'reported',
    'guide: 2 h; Vertex pages: 24 h, and about 10 min',
  ),
  notFoundCode: row(
    'How is an unknown or expired handle refused: 1008 `BidiGenerateContent session not found`, 1008 `Requested entity was not found.`, or 1007 `Invalid session handle`?',
    ['1008-session', '1008-entity', '1007-handle'],
    '1008-session',
    'reported',
    'traces in livekit/agents and sip-to-ai',
  ),
  oldSocketOpenRefused: row(
    'Is a resume refused with 1011 while the old connection of the session is still open (false: it is let in)?',
    flags,
    true,
    'reported',
    'sip-to-ai#14, tried against the live service',
  ),
  oldSocketGraceMs: row(
    'How long after a connection was cut without a close frame does the server still take it for open?',
    [0, 500, 2_000, 8_000],
    500,
    'inferred',
    'sip-to-ai#14: retries from 0.5 to 4 s were needed',
  ),
  resumeReplaysUndelivered: row(
    'Is model audio that was generated before the cut, but not delivered, sent on the new connection?',
    flags,
    false,
    'unknown',
    'no document mentions any replay',
  ),
  resumeKeepsSeededHistory: row(
    'Does a resumed session still know what clientContent put into it at the start?',
    flags,
    true,
    'reported',
    'livekit/agents-js#2507: lost in two of three trials on 3.8',
  ),

  openContentsRemembered: row(
    'Are contents that were sent with `turnComplete:false` known to the model when speech is what follows them?',
    flags,
    true,
    'reported',
    'mastra#18286: yes, tried on 2.5; forum 111617, pipecat#4355: no on 2.5; live-api-web-console#60: 2.0 answered no speech after them',
    { '2.5': false },
  ),

  // The end of a connection.
  openSocketWaitMs: row(
    'How long is a socket left open on which no setup comes?',
    [5_000, 30_000],
    30_000,
    'unknown',
    'nothing found',
  ),
  goAwayLead: row(
    'What does goAway announce, and when: that long before the end, 300 s one second after the start, or with no timeLeft (50 s before)?',
    ['50s', '60s', '10s', '17.250s', '300s-at-start', 'no-time-left', 'none'],
    '50s',
    'reported',
    'forum 177402: 50 s; guide: 60 s; livekit/agents-js#2507: 300 s after one second on 3.8',
    { '3.8': '300s-at-start', '3.8-extended-thinking': '300s-at-start' },
  ),
  silentAfterGoAway: row(
    'Does the server stop sending between goAway and the close?',
    flags,
    false,
    'reported',
    'tau2-bench#461',
  ),
  connectionEndClose: row(
    'How does a connection end when its time is over: 1011 `Deadline expired…`, 1008 `The operation was aborted.`, or a cut (1006)?',
    ['1011-deadline', '1008-aborted', '1006-cut'],
    '1011-deadline',
    'reported',
    'sokuji#179; autonomous-os#238; livekit/agents-js#2366',
  ),
  fifteenMinuteCapCode: row(
    'With which code does a session without compression end after 15 minutes of audio?',
    [1007, 1008, 1011],
    1011,
    'unknown',
    'guide: the connection is terminated; no code given',
  ),
  compressionWorks: row(
    'Does contextWindowCompression shorten the context (false: accepted without effect)?',
    flags,
    true,
    'reported',
    'guide; adk-python#6455 saw no effect on 3.1',
  ),

  // Turns and barge-in.
  turnCompleteWaitsForPlayback: row(
    'Does turnComplete wait for the time that playing the answer is assumed to take (false: at once)?',
    flags,
    true,
    'documented',
    'reference',
  ),
  interruptsAssumedPlayback: row(
    'Does speech after generationComplete, while playback is assumed to go on, cause `interrupted`?',
    flags,
    true,
    'inferred',
    'comments in livekit plugins',
  ),
  interruptedMayFollowTurnComplete: row(
    'May turnComplete come before the `interrupted` of the same barge-in?',
    flags,
    false,
    'reported',
    'comments in livekit plugins',
  ),
  turnCompleteFollowsInterrupted: row(
    'Does turnComplete come after every `interrupted`?',
    flags,
    true,
    'documented',
    'reference; python-genai#2333: sometimes it never comes',
  ),
  staleChunksAfterInterrupt: row(
    'How many chunks of the cancelled answer still come after `interrupted`?',
    [0, 1, 3],
    1,
    'reported',
    'langwatch#907, N.E.K.O#1777',
  ),
  interruptedSharesMessage: row(
    'Does `interrupted` come in one message with the last modelTurn part?',
    flags,
    false,
    'reported',
    'strands-agents harness-sdk#3725',
  ),
  speechUnderNoInterruption: row(
    'What becomes of speech during an answer under NO_INTERRUPTION: the next turn, or nothing?',
    ['queued', 'dropped'],
    'queued',
    'unknown',
    'reference: the answer is not cut; nothing is said of the speech',
  ),
  textNoteIsAnswered: row(
    'Does text that is sent in mid call, without a question in it, make the model speak?',
    flags,
    true,
    'inferred',
    'SDK: text counts as user activity under automatic detection',
  ),
  interruptionOfTextTrigger: row(
    'Does realtimeInput.text cut an answer that is running, as speech does?',
    flags,
    true,
    'inferred',
    'SDK: text counts as user activity under automatic detection',
  ),
  inputTranscriptOrder: row(
    "When does the transcript of the caller's utterance come: before the answer, amid it, or after turnComplete?",
    ['before-answer', 'amid-answer', 'after-turn'],
    'before-answer',
    'documented',
    'reference: independent of every other message, no order guaranteed',
  ),
  outputTranscriptOrder: row(
    'Does the transcript of the answer run ahead of its audio, behind it, or does its rest come after turnComplete?',
    ['leads-audio', 'trails-audio', 'after-turn'],
    'leads-audio',
    'documented',
    'reference: independent of every other message, no order guaranteed',
  ),
  usageReports: row(
    'Is usageMetadata a total at turnComplete, or the change since the message before, on every chunk?',
    ['turn-totals', 'chunk-deltas'],
    'turn-totals',
    'reported',
    'recordings; source of voiceclaw',
  ),

  // How the server hears.
  gapCountsAsSilence: row(
    'When no audio arrives at all, does the time count as silence and end the utterance (false: it stays open)?',
    flags,
    false,
    'inferred',
    'python-genai#1328; openclaw#152830',
  ),
  audioStreamEndEndsTurn: row(
    'Does audioStreamEnd end the utterance (false: it is ignored)?',
    flags,
    true,
    'reported',
    'guide; ignored on 3.8: openclaw#152830, #152844',
    { '3.8': false, '3.8-extended-thinking': false },
  ),
  silenceDurationCapMs: row(
    'Beyond which value is silenceDurationMs no longer honoured (0: always honoured)?',
    [0, 2_000],
    0,
    'reported',
    'gemini-live-api-examples#50, cookbook#1263: 6,000 ms became about 2 s on 3.1',
    { '3.1': 2_000 },
  ),
  burstInputClock: row(
    'Audio that arrives faster than real time: is it heard at once by its own length, or as if in real time?',
    ['stream-time', 'arrival-time'],
    'stream-time',
    'inferred',
    'no limit on sending faster is documented',
  ),
  audioWhileToolPending: row(
    'Is audio taken while a blocking tool call waits, or does it end the connection with 1008?',
    ['accepted', 'close-1008'],
    'accepted',
    'reported',
    'adk-python#4679 on 2.5',
  ),

  // Tools.
  unknownToolId: row(
    'How is a tool response with an unknown id met?',
    ['ignored', 'close-1007'],
    'ignored',
    'unknown',
    'nothing found',
  ),
  schedulingPlace: row(
    'Where is `scheduling` of a tool response read: beside `response`, inside it, or in both places?',
    ['beside', 'inside', 'both'],
    'both',
    'reported',
    'SDK type: beside; guides and pipecat: inside',
  ),
  blockingCallCancelledBySpeech: row(
    'Does the caller speaking cancel a blocking tool call that waits (false: it stays)?',
    flags,
    false,
    'reported',
    'guide to 3.8: such a call is cancelled when the user speaks',
    { '3.8': true, '3.8-extended-thinking': true },
  ),
  generationCompleteAfterToolCall: row(
    'Does generationComplete follow a toolCall before its answer was sent?',
    flags,
    false,
    'reported',
    'livekit/agents#5742 against a Vertex recording',
  ),

  // The protocol's edges.
  serverFrameType: row(
    'Do server messages come as binary or as text frames?',
    ['binary', 'text'],
    'binary',
    'reported',
    'several independent clients; one guide says text',
  ),
  audioMime: row(
    'Does the mime type of model audio carry its rate?',
    ['audio/pcm;rate=24000', 'audio/pcm'],
    'audio/pcm;rate=24000',
    'reported',
    'recordings: with the rate on the Gemini API, without on Vertex',
  ),
  setupRefusalStage: row(
    'When does a field that the model does not take end the connection: at setup, at the first input, or is setupComplete just never sent?',
    ['setup', 'first-input', 'never-completes'],
    'setup',
    'reported',
    'guides to 3.1 and 3.8; Patter#210: never completes on 3.1; enableAffectiveDialog on 3.8: at the first input',
    { '3.1': 'never-completes', '3.8': 'first-input', '3.8-extended-thinking': 'first-input' },
  ),
  unknownFieldText: row(
    'What is the reason of the 1007 that an unknown field gets: `Invalid JSON payload received. Unknown name …` or `Request contains an invalid argument.`?',
    ['unknown-name', 'invalid-argument'],
    'unknown-name',
    'unknown',
    'both texts are in traces, neither next to the frame that caused it',
  ),
  clientContentInMidCall: row(
    'Is clientContent taken after the start of the conversation, or answered with 1007?',
    ['accepted', 'close-1007'],
    'accepted',
    'documented',
    'guides to 2.5, 3.1 and 3.8; not verified for extended thinking',
    { '3.1': 'close-1007' },
  ),
  activitySignalInWrongMode: row(
    'How is activityStart met under automatic detection, and audioStreamEnd under manual?',
    ['ignored', 'close-1007'],
    'close-1007',
    'unknown',
    'reference: not legal; no reaction given',
  ),
  emptyRealtimeInput: row(
    'How is `{"realtimeInput":{}}` met?',
    ['ignored', 'close-1007'],
    'ignored',
    'unknown',
    'nothing found',
  ),
  severalRealtimeFields: row(
    'Are several fields in one realtimeInput taken?',
    ['accepted', 'close-1007'],
    'accepted',
    'unknown',
    'reference: separate concurrent streams',
  ),
  secondSetupCode: row(
    'With which code does a second setup end the connection?',
    [1007, 1008],
    1007,
    'unknown',
    'reference: setup is the first message only',
  ),
  maxClientFrameBytes: row(
    'Which client frame is too long (closed with 1009)?',
    [65_536, 1_048_576, 16_777_216],
    1_048_576,
    'unknown',
    'nothing found',
  ),
} as const;
