/**
 * The one place that reaches into the SDK. `ai.live` asks its private `webSocketFactory` for every socket (seen in
 * 2.32.0 and 3.1.0; livekit/agents-js lives on the same fact); an object with `ai.live` as its prototype and a factory of
 * its own gives each attempt its own socket and leaves the SDK's object as it was.
 */
import { GoogleGenAI, type Live, type Session } from '@google/genai';
import type { Wire } from './connection.ts';
import type { LiveSocket, SdkCallbacks } from './live-socket.ts';

export type HookedSocket = (url: string, headers: Record<string, string>, sdk: SdkCallbacks) => LiveSocket;

export function withSocketFactory(live: Live, create: HookedSocket): Live {
  return Object.create(live, { webSocketFactory: { value: { create } } }) as Live;
}

/** Whether this version of the SDK asks the factory. No network is touched. */
export function hookWorks(): boolean {
  let asked = false;
  const { live } = new GoogleGenAI({
    vertexai: false,
    apiKey: 'self-test',
    httpOptions: { baseUrl: 'http://127.0.0.1:9', apiVersion: 'v1beta' },
  });
  const hooked = withSocketFactory(live, () => {
    asked = true;
    throw new Error('self-test');
  });
  // A key in the Gemini API's mode needs no waiting, so that the factory is asked before connect() returns.
  hooked.connect({ model: 'self-test', callbacks: { onmessage: () => {} } }).catch(() => {});
  return asked;
}

/**
 * What can be had without the hook. The session's own socket may be hidden or named differently in an SDK that has
 * changed; then only the SDK's close is left, and a stalled server cannot be seen.
 */
export function wireOfSession(session: Session): Wire {
  const inner = (session.conn as { ws?: InnerSocket }).ws;
  let closed = false;
  return {
    get isOpen() {
      return !closed && (inner?.readyState ?? 1) === 1;
    },
    get bufferedBytes() {
      return inner?.bufferedAmount ?? 0;
    },
    sendFrame: (frame) => session.conn.send(frame.toString('latin1')),
    close: () => {
      closed = true;
      session.close();
    },
    terminate: () => {
      closed = true;
      if (inner?.terminate !== undefined) inner.terminate();
      else session.close();
    },
  };
}

interface InnerSocket {
  readonly readyState?: number;
  readonly bufferedAmount?: number;
  terminate?(): void;
}
