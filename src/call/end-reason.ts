/** Who ended a call, and how: the closed list that records, metrics and webhooks share. */
export type EndedBy = 'caller' | 'bot' | 'carrier' | 'model' | 'gateway' | 'operator';
export type EndedHow =
  | 'completed'
  | 'transferred'
  | 'limit'
  | 'silence'
  | 'refused'
  | 'drained'
  | 'crashed'
  | 'error';

export interface EndReason {
  readonly who: EndedBy;
  readonly how: EndedHow;
  /** One constant sentence fragment for the log line; never personal data. */
  readonly detail: string;
}
