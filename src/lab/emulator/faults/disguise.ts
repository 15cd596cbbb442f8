/** Messages of an answer in other clothes: all legal on the wire, each has broken a client somewhere. Pure. */
import type { TurnEffects } from './turn-effects.ts';

interface Message {
  readonly serverContent?: {
    readonly modelTurn?: { readonly parts: readonly object[] };
    readonly outputTranscription?: object;
    readonly inputTranscription?: object;
    readonly turnComplete?: boolean;
  };
}

/** What goes out in a message's place: mostly one message, and the very same where no effect touches it. */
export function disguise(message: Message, effects: TurnEffects): readonly object[] {
  const content = message.serverContent;
  const transcribes = content?.outputTranscription !== undefined || content?.inputTranscription !== undefined;
  let dressed: object = message;
  if (content?.modelTurn !== undefined && effects.textBeforeAudio) {
    const parts = [{ text: '**Considering the reply**', thought: true }, ...content.modelTurn.parts];
    dressed = withContent(dressed, { modelTurn: { ...content.modelTurn, parts } });
  }
  if (content?.turnComplete === true && effects.turnCompleteReason !== null) {
    dressed = withContent(dressed, { turnCompleteReason: effects.turnCompleteReason });
  }
  if (effects.unknownFields) dressed = withUnknownFields(dressed);
  const bare = content?.modelTurn !== undefined && effects.emptyParts ? EMPTY_PARTS : [];
  // Only what was transcribed comes twice: it may share a message with audio.
  return transcribes && effects.doubledTranscripts ? [transcriptOf(content), dressed] : [...bare, dressed];
}

function transcriptOf({
  outputTranscription,
  inputTranscription,
}: NonNullable<Message['serverContent']>): object {
  const output = outputTranscription === undefined ? {} : { outputTranscription };
  const input = inputTranscription === undefined ? {} : { inputTranscription };
  return { serverContent: { ...output, ...input } };
}

/** Two messages in one: all fields of the envelope, all fields of serverContent. */
export function merge(one: { serverContent?: object }, other: { serverContent?: object }): object {
  return { ...one, ...other, serverContent: { ...one.serverContent, ...other.serverContent } };
}

const EMPTY_PARTS: readonly object[] = [
  { serverContent: { modelTurn: {} } },
  { serverContent: { modelTurn: { role: 'model', parts: [] } } },
  { serverContent: { modelTurn: { parts: [{}] } } },
];

const withContent = (message: Message, more: object): object => ({
  ...message,
  serverContent: { ...message.serverContent, ...more },
});

function withUnknownFields(message: Message): object {
  const content = message.serverContent;
  const modelTurn = content?.modelTurn;
  const turn =
    modelTurn === undefined
      ? {}
      : {
          modelTurn: {
            ...modelTurn,
            speaker: { id: 1 },
            parts: modelTurn.parts.map((part) => ({ ...part, partMetadata: { loudness: -3 } })),
          },
        };
  return {
    ...message,
    ...(content === undefined ? {} : { serverContent: { ...content, ...turn, deliveryHint: ['calm'] } }),
    traceContext: { hops: [1, 2], next: null },
  };
}
