/** What a bot wants of a session; turned into the SDK's config by the capability table of the model's family. */
export interface LiveSetup {
  readonly model: string;
  readonly systemInstruction: string;
  readonly voice: string | null;
  /** BCP 47. */
  readonly language: string | null;
}
