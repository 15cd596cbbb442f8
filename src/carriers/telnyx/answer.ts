import { OffhookError } from '../../errors.ts';
import type { ApiDependencies } from '../api-client.ts';
import type { IncomingCall, RefusalReason } from '../carrier.ts';
import { REFUSAL_SENTENCES } from '../refusals.ts';
import { streamBearer } from '../stream-bearer.ts';
import { type CommandReply, type Commands, commandId, pause } from './commands.ts';
import { CODEC_NAMES, type TelnyxSettings, telnyxAddresses } from './settings.ts';

/** What Telnyx takes without being told a sampling rate: the answer command has no field for one. */
const RATE_BY_DEFAULT = 8000;
/** About 14 characters a second are spoken; then a little silence, so that the last word is not cut. */
const MS_PER_CHARACTER = 75;
const SILENCE_AFTER_MS = 1500;
/** Beyond so many at a time callers are turned away with a busy tone, which takes no work of ours. */
const MAX_SPOKEN_REFUSALS = 50;

/** Answers Call Control calls, which an answer document does not: it takes commands. */
export interface Answering {
  /**
   * Has the call stream to `streamPath`. Asked again it does nothing a second time: the commands' ids are the same.
   * @throws OffhookError ERR_CARRIER_API where Telnyx did not take it; a call that has ended meanwhile is no error
   */
  accept(call: IncomingCall, streamPath: string): Promise<void>;
  /** Answers, says a sentence and hangs up. Never rejects; it takes as long as the sentence. */
  refuse(call: IncomingCall, reason: RefusalReason): Promise<void>;
}

export function createTelnyxAnswering(
  settings: TelnyxSettings,
  publicUrl: string,
  commands: Commands,
  dependencies: ApiDependencies,
): Answering {
  const addresses = telnyxAddresses(publicUrl);
  const { audio, apiKeys } = settings;
  const codec = CODEC_NAMES[audio.encoding];
  const needsRate = audio.sampleRate !== RATE_BY_DEFAULT;
  let speaking = 0;

  function streamFields(streamPath: string): Record<string, unknown> {
    return {
      stream_url: addresses.stream(streamPath),
      stream_track: 'inbound_track',
      stream_codec: codec,
      stream_bidirectional_mode: 'rtp',
      stream_bidirectional_codec: codec,
    };
  }

  function answer(callId: string, streamPath: string): Promise<CommandReply> {
    const body = {
      ...(needsRate ? {} : streamFields(streamPath)),
      command_id: commandId(callId, `answer ${streamPath}`),
    };
    return commands.send('answering', callId, 'answer', body, 'any-trouble');
  }

  function startStreaming(callId: string, streamPath: string): Promise<CommandReply> {
    return commands.sendOnceAnswered('opening the stream of', callId, 'streaming_start', {
      ...streamFields(streamPath),
      stream_bidirectional_sampling_rate: audio.sampleRate,
      stream_auth_token: streamBearer('telnyx', apiKeys[0] ?? '', streamPath),
      command_id: commandId(callId, `stream ${streamPath}`),
    });
  }

  async function open({ callId, direction }: IncomingCall, streamPath: string): Promise<CommandReply> {
    // A call that we placed has been answered by the other side; answering it is an error.
    if (direction === 'outbound') return startStreaming(callId, streamPath);
    const answered = await answer(callId, streamPath);
    if (answered.result === 'done' && !needsRate) return answered;
    // Refused: a call that came back from a transfer, say, has been answered long ago and only wants a stream.
    if (answered.result === 'done' || answered.result === 'failed') return startStreaming(callId, streamPath);
    return answered;
  }

  return {
    async accept(call, streamPath) {
      const { result, code } = await open(call, streamPath);
      if (result === 'done' || result === 'already-ended') return;
      const found = code === null ? result : `${result}, error code ${code}`;
      throw new OffhookError(
        'ERR_CARRIER_API',
        `Answering a call at Telnyx: found "${found}", wanted its stream to be opened.`,
        { retryable: result === 'retryable' },
      );
    },
    async refuse({ callId, direction }, reason) {
      if (speaking >= MAX_SPOKEN_REFUSALS) {
        const tone = { cause: 'USER_BUSY', command_id: commandId(callId, 'reject') };
        const { result } = await commands.send('turning away', callId, 'reject', tone, 'any-trouble');
        // One that has been answered already cannot be rejected any more.
        if (result === 'failed') await commands.send('ending', callId, 'hangup', {}, 'any-trouble');
        return;
      }
      speaking += 1;
      try {
        const body = { command_id: commandId(callId, 'answer to refuse') };
        if (direction === 'inbound') await commands.send('answering', callId, 'answer', body, 'any-trouble');
        const said = await commands.sendOnceAnswered('speaking into', callId, 'speak', {
          payload: REFUSAL_SENTENCES[reason],
          payload_type: 'text',
          service_level: 'basic',
          voice: 'female',
          language: 'en-US',
          command_id: commandId(callId, 'speak'),
        });
        if (said.result === 'already-ended') return;
        const spokenMs = REFUSAL_SENTENCES[reason].length * MS_PER_CHARACTER + SILENCE_AFTER_MS;
        if (said.result === 'done') await pause(spokenMs, dependencies);
        await commands.send('ending', callId, 'hangup', {}, 'any-trouble');
      } finally {
        speaking -= 1;
      }
    },
  };
}
