/** What a demo's two processes say to each other. */
export type FromGateway =
  | { readonly type: 'ready'; readonly localUrl: string; readonly publicUrl: string }
  | { readonly type: 'failed'; readonly message: string }
  /** A journal entry. */
  | { readonly type: 'entry'; readonly entry: unknown }
  /** The answer to the question for metrics, in Prometheus' text form. */
  | { readonly type: 'metrics'; readonly text: string };

export type ToGateway = { readonly type: 'stop' | 'metrics' };
