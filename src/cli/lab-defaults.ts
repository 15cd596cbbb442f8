/** What `offhook lab` does unless told otherwise: for its help, and for the line that plays a finding again. */
export const LAB_DEFAULTS = {
  calls: 100,
  minutes: 30,
  seed: 1,
  together: 10,
  faults: 'all',
  mean: 2,
  audio: 'counters',
} as const;
