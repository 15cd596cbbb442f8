/**
 * The shape of the three machines: a state, an event, the time in; the next state and the effects out. The table has a
 * cell for every state and every event, so a hole does not compile. A machine touches no clock, socket or timer, and an
 * effect never answers: what it achieves comes back as an event.
 */
export type Step<State, Effect> = readonly [State, readonly Effect[]];

export type Table<
  State extends { readonly name: string },
  Event extends { readonly type: string },
  Effect,
> = {
  readonly [S in State['name']]: {
    readonly [E in Event['type']]: (
      state: Extract<State, { name: S }>,
      event: Extract<Event, { type: E }>,
      nowMs: number,
    ) => Step<State, Effect>;
  };
};

/** Looks the cell up. The one cast of the machines: the table's type ties state and event, the look-up cannot. */
export function stepper<
  State extends { readonly name: string },
  Event extends { readonly type: string },
  Effect,
>(table: Table<State, Event, Effect>): (state: State, event: Event, nowMs: number) => Step<State, Effect> {
  type Cell = (state: State, event: Event, nowMs: number) => Step<State, Effect>;
  return (state, event, nowMs) => {
    const row = table[state.name as State['name']] as unknown as Record<string, Cell>;
    return (row[event.type] as Cell)(state, event, nowMs);
  };
}

/** A race that was foreseen: nothing changes. */
export function stay<State>(state: State): Step<State, never> {
  return [state, []];
}
