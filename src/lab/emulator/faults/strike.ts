/** What a sudden fault does to a connection. */
import { closeWith, duration, type Ending } from '../lifetime.ts';
import type { FaultOf, SuddenFault } from './catalogue.ts';
import { CLOSE_ROWS } from './close-rows.ts';

/** The connection as a fault sees it. */
export interface Struck {
  send(message: object): void;
  sendRaw(text: string): void;
  end(ending: Ending): void;
  /** As at the end of the connection's time. */
  expire(inMs: number): void;
  /** Nothing goes either way any more. */
  abandon(): void;
  freeze(kind: 'reading' | 'both', forMs: number): void;
  delayPongs(delayMs: number): void;
  interruptFalsely(fault: FaultOf<'phantom-interrupted'>): void;
}

export function strike(fault: SuddenFault, connection: Struck): void {
  switch (fault.fault) {
    case 'close': {
      const { close } = fault;
      connection.end(closeWith(typeof close === 'string' ? CLOSE_ROWS[close] : close));
      break;
    }
    case 'cut':
      connection.end({ cut: true });
      break;
    case 'half-open':
      connection.abandon();
      break;
    case 'freeze':
      connection.freeze('both', fault.forMs);
      break;
    case 'stop-reading':
      connection.freeze('reading', fault.forMs);
      break;
    case 'late-pongs':
      connection.delayPongs(fault.delayMs);
      break;
    case 'go-away':
      connection.send({ goAway: { timeLeft: duration(fault.timeLeftMs) } });
      connection.expire(fault.timeLeftMs);
      break;
    case 'not-json':
      connection.sendRaw(fault.text);
      break;
    case 'unknown-message':
      connection.send({ sessionQuality: { score: 0.7, notes: ['unheard of'] } });
      break;
    case 'phantom-interrupted':
      connection.interruptFalsely(fault);
  }
}
