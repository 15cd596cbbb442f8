/** Figures that come with every frame: too many for the journal, so they go straight to a histogram. */
export interface CallMeters {
  /** up: carrier message read to its audio written to Gemini; down: first audio of a turn read to its frame written. */
  frameLatency(leg: 'up' | 'down', ms: number): void;
}

export const noMeters: CallMeters = { frameLatency: () => {} };
