/** What the bench's processes tell each other: the load on one core, the gateway or the relay on the other. */
export interface SubjectReport {
  /** Process CPU since its start, in ms. */
  readonly cpuMs: number;
  readonly rssBytes: number;
  /** What is alive after a collection, on the heap and outside of it. */
  readonly heapBytes: number;
  /** Open handles by kind, as Node names them. */
  readonly resources: Readonly<Record<string, number>>;
  /** The gateway's own measure of added latency, in ms; null for the relay. */
  readonly added: {
    readonly upP50: number;
    readonly upP99: number;
    readonly downP50: number;
    readonly downP99: number;
  } | null;
}

export type ToSubject = { readonly type: 'report' } | { readonly type: 'reset' } | { readonly type: 'stop' };
export type FromSubject =
  | { readonly type: 'ready'; readonly url: string }
  | { readonly type: 'report'; readonly report: SubjectReport }
  | { readonly type: 'failed'; readonly message: string };

export interface LoadReport {
  readonly calls: number;
  readonly upP50: number;
  readonly upP99: number;
  readonly downP50: number;
  readonly downP99: number;
  readonly frames: number;
  /** Frames of a caller that took more than 20 ms to the model; audio that came when the carrier had run dry. */
  readonly lateUp: number;
  readonly lateDown: number;
  readonly turns: number;
  readonly messagesReceived: number;
  readonly closed: number;
  readonly cpuMs: number;
}

export type ToLoad =
  | {
      readonly type: 'dial';
      readonly kind: 'gateway' | 'relay';
      readonly url: string;
      readonly calls: number;
      readonly accountSid: string;
      readonly authToken: string;
    }
  | { readonly type: 'reset' }
  | { readonly type: 'report' }
  | { readonly type: 'hang-up' }
  | { readonly type: 'stop' };
export type FromLoad =
  | { readonly type: 'ready'; readonly modelUrl: string }
  | { readonly type: 'dialled'; readonly calls: number; readonly done: boolean }
  | { readonly type: 'report'; readonly report: LoadReport }
  | { readonly type: 'hung-up' }
  | { readonly type: 'failed'; readonly message: string };
