/** Harm between the gateway and the world, for tests of what notices it. */
import type { ConnectLive, LiveConnection } from '../../../src/gemini/live-session.ts';

/** Connections whose methods do something else at times. */
export const connectionsThat =
  (change: (connection: LiveConnection) => Partial<LiveConnection>) =>
  (connectLive: ConnectLive): ConnectLive =>
  async (...args) => {
    const connection = await connectLive(...args);
    const own: LiveConnection = {
      dropped: [],
      get bufferedBytes() {
        return connection.bufferedBytes;
      },
      sendAudio: (samples) => connection.sendAudio(samples),
      sendText: (text) => connection.sendText(text),
      sendAudioStreamEnd: () => connection.sendAudioStreamEnd(),
      sendActivity: (kind) => connection.sendActivity(kind),
      sendToolResponses: (responses) => connection.sendToolResponses(responses),
      sendContext: (turns) => connection.sendContext(turns),
      close: (graceMs) => connection.close(graceMs),
    };
    return Object.assign(own, change(connection));
  };

/** Something goes wrong at the n-th occasion, `times` in a row. */
export function once<A extends unknown[]>(
  n: number,
  right: (...args: A) => boolean,
  wrong: (...args: A) => boolean,
  times = 1,
) {
  let occasions = 0;
  return (...args: A): boolean => {
    occasions += 1;
    return occasions >= n && occasions < n + times ? wrong(...args) : right(...args);
  };
}
