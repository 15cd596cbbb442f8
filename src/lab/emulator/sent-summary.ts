/** Names what is in a server message, for the record: one entry per thing that a client would act upon. */

export interface SentSummary {
  readonly kind: string;
  readonly detail: string | number | null;
}

interface Message {
  readonly serverContent?: {
    readonly modelTurn?: { readonly parts?: readonly { readonly inlineData?: { readonly data: string } }[] };
    readonly interrupted?: boolean;
    readonly generationComplete?: boolean;
    readonly turnComplete?: boolean;
    readonly inputTranscription?: { readonly text: string };
    readonly outputTranscription?: { readonly text: string };
  };
  readonly toolCall?: { readonly functionCalls: readonly { readonly id: string }[] };
  readonly toolCallCancellation?: { readonly ids: readonly string[] };
  readonly goAway?: { readonly timeLeft?: string };
  readonly sessionResumptionUpdate?: { readonly newHandle?: string };
}

/** Kinds: `audio` with its bytes, the names of the fields of serverContent, and those of the envelope. */
export function describeSent(message: Message): SentSummary[] {
  const content = message.serverContent;
  if (content === undefined) return [envelopeSummary(message)];
  const found: SentSummary[] = [];
  if (content.interrupted === true) found.push({ kind: 'interrupted', detail: null });
  const parts = content.modelTurn?.parts ?? [];
  if (content.modelTurn !== undefined && !parts.some((part) => part.inlineData !== undefined)) {
    found.push({ kind: 'modelTurn', detail: null });
  }
  for (const part of parts) {
    if (part.inlineData === undefined) continue;
    const base64 = part.inlineData.data;
    const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0;
    found.push({ kind: 'audio', detail: (base64.length / 4) * 3 - padding });
  }
  if (content.inputTranscription)
    found.push({ kind: 'inputTranscription', detail: content.inputTranscription.text });
  if (content.outputTranscription) {
    found.push({ kind: 'outputTranscription', detail: content.outputTranscription.text });
  }
  if (content.generationComplete === true) found.push({ kind: 'generationComplete', detail: null });
  if (content.turnComplete === true) found.push({ kind: 'turnComplete', detail: null });
  return found;
}

function envelopeSummary(message: Message): SentSummary {
  const kind = Object.keys(message).find((key) => key !== 'usageMetadata') ?? 'usageMetadata';
  const ids = message.toolCall?.functionCalls.map((call) => call.id) ?? message.toolCallCancellation?.ids;
  return {
    kind,
    detail: ids?.join(' ') ?? message.goAway?.timeLeft ?? message.sessionResumptionUpdate?.newHandle ?? null,
  };
}
