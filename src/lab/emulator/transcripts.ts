/** Transcriptions in word-ish fragments. The wire carries no `finished`, and no order between them and the audio. */

/** One to three words each, with the spaces in front; joined they are the text again. */
export function fragmentsOf(text: string, random: () => number): string[] {
  const words = text.match(/\s*\S+\s*$|\s*\S+/g) ?? [];
  const fragments: string[] = [];
  for (let index = 0; index < words.length; ) {
    const count = 1 + Math.floor(random() * 3);
    fragments.push(words.slice(index, index + count).join(''));
    index += count;
  }
  return fragments;
}

export const inputTranscription = (text: string) => ({ serverContent: { inputTranscription: { text } } });
export const outputTranscription = (text: string) => ({ serverContent: { outputTranscription: { text } } });
