/**
 * The handles with which calls can be taken up again at Gemini: the newest ones of each, with what was going on when they
 * came, as that tells what the session at the handle does not hold. Behind an interface that a store shared by several
 * processes can stand behind too: writes are sent off and never waited for, reads see what this process knows.
 */
export interface HandleRecord {
  readonly handle: string;
  /** The call's clock. */
  readonly atMs: number;
  /** Milliseconds since 1970, for another process, whose clock begins elsewhere. */
  readonly epochMs: number;
  /** What was open when it came: a tool call, else a turn of the model, else an utterance, else nothing. */
  readonly under: 'nothing' | 'utterance' | 'turn' | 'tool';
  /** Samples of the caller that had been pushed to the model by then. */
  readonly uplinkPosition: number;
  /** The connection on which it came. */
  readonly epoch: number;
  /** The server's own account of the last client message it holds (Vertex alone has one). */
  readonly consumedIndex: number | null;
}

export interface HandleStore {
  /** Adds a handle of a call, or brings a known one up to date. Never throws, and never waits. */
  keep(ref: string, record: HandleRecord): void;
  /** The usable handles of a call, newest first; empty for a call that nobody knows. A snapshot. */
  list(ref: string): readonly HandleRecord[];
  /** The server did not take the handle: it is not listed again, whatever comes. */
  refuse(ref: string, handle: string): void;
  /** The call is over. */
  forget(ref: string): void;
}

/** A handle that was seen has some hundred characters; one like this is none. */
const MAX_HANDLE_CHARS = 8_192;
const NEWEST_KEPT = 4;
/** A server gives out a new value each time, so of those refused the last ones are enough to know. */
const REFUSED_KEPT = 64;
const MAX_CALLS = 4_096;

interface OfCall {
  readonly records: readonly HandleRecord[];
  /** Oldest first. */
  readonly refused: readonly string[];
}

const NOTHING: OfCall = { records: [], refused: [] };

/** The store of one process. Of more calls than `maxCalls` it forgets the one that has had no news for the longest. */
export function createMemoryHandleStore(maxCalls = MAX_CALLS): HandleStore {
  /** In the order of the last news. */
  const calls = new Map<string, OfCall>();

  const put = (ref: string, of: OfCall): void => {
    calls.delete(ref);
    calls.set(ref, of);
    const [oldest] = calls.keys();
    if (calls.size > maxCalls && oldest !== undefined) calls.delete(oldest);
  };

  return {
    keep(ref, record) {
      const { records, refused } = calls.get(ref) ?? NOTHING;
      const { handle } = record;
      if (handle === '' || handle.length > MAX_HANDLE_CHARS || refused.includes(handle)) return;
      const others = records.filter((each) => each.handle !== handle);
      put(ref, { records: pruned([record, ...others]), refused });
    },
    list: (ref) => (calls.get(ref) ?? NOTHING).records,
    refuse(ref, handle) {
      if (handle.length > MAX_HANDLE_CHARS) return;
      const { records, refused } = calls.get(ref) ?? NOTHING;
      put(ref, {
        records: records.filter((each) => each.handle !== handle),
        refused: [...refused.filter((each) => each !== handle), handle].slice(-REFUSED_KEPT),
      });
    },
    forget(ref) {
      calls.delete(ref);
    },
  };
}

/** The newest few, and with them the newest that was taken while nothing was open: it is the surest one. */
function pruned(records: readonly HandleRecord[]): readonly HandleRecord[] {
  const sorted = records.toSorted((a, b) => b.atMs - a.atMs);
  const surest = sorted.find((each) => each.under === 'nothing');
  const kept = sorted.slice(0, NEWEST_KEPT);
  return surest === undefined || kept.includes(surest) ? kept : [...kept, surest];
}
