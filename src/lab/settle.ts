/** More turns of the microtask queue than any chain of promises in a simulated call has links. */
const TURNS = 12;

/** Lets whoever awaits a promise run, at the same instant of virtual time, without the event loop's own turn. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await null;
}
