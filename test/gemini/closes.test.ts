import { describe, expect, test } from 'vitest';
import { classifyClose, classifyUpgradeStatus, LiveConnectError } from '../../src/gemini/closes.ts';
import type { CloseClass } from '../../src/gemini/live-session.ts';

/** Texts from traces, cut to the 123 bytes of a close frame. */
const SEEN: [number, string, CloseClass][] = [
  [1000, '', 'normal'],
  [1001, '', 'aborted'],
  [1005, '', 'normal'],
  [1006, '', 'network'],
  [1007, 'Request contains an invalid argument.', 'config'],
  [1007, 'Invalid JSON payload received. Unknown name "foo" at \'setup\': Cannot find field.', 'config'],
  [1007, 'API key not valid. Please pass a valid API key.', 'auth'],
  [1007, 'API key expired. Please renew the API key.', 'auth'],
  [1007, 'Invalid session handle', 'handle-refused'],
  [1007, 'realtime_input.media_chunks is deprecated. Use audio, video, or text instead.', 'config'],
  [1007, 'User location is not supported for the API use.', 'config'],
  [1007, 'Thinking level is not supported for this model', 'config'],
  [1007, 'Function response scheduling is not supported for this model', 'config'],
  [
    1008,
    'models/gemini-x is not found for API version v1beta, or is not supported for bidiGenerateContent. Call ListModels to see the li',
    'config',
  ],
  [1008, 'Operation is not implemented, or supported, or enabled.', 'aborted'],
  [1008, 'BidiGenerateContent session not found', 'handle-refused'],
  [1008, 'Requested entity was not found.', 'handle-refused'],
  [1008, 'The operation was aborted.', 'aborted'],
  [1008, 'Your API key was reported as leaked. Please use another API key.', 'auth'],
  [1008, "Method doesn't allow unregistered callers (callers without established identity).", 'auth'],
  [1011, 'Internal error encountered.', 'overload'],
  [1011, 'The service is currently unavailable.', 'overload'],
  [1011, 'Deadline expired before operation could complete.', 'deadline'],
  [1011, 'You exceeded your current quota, please check your plan and billing details.', 'quota'],
  [1012, '', 'overload'],
  [4321, 'who knows', 'aborted'],
];

describe('classifyClose', () => {
  test.each(SEEN)('%i "%s" means %s', (code, reason, closeClass) => {
    expect(classifyClose(code, reason)).toBe(closeClass);
  });

  test('case and a blank in front do not count', () => {
    expect(classifyClose(1011, ' deadline EXPIRED before')).toBe('deadline');
  });

  test('a resume that fails with an unexplained 1011 met its own old socket; an explained one did not', () => {
    const resuming = { beforeSetup: true, resuming: true };
    expect(classifyClose(1011, '', resuming)).toBe('old-socket-open');
    expect(classifyClose(1011, 'You exceeded your current quota', resuming)).toBe('quota');
    expect(classifyClose(1011, '', { beforeSetup: true, resuming: false })).toBe('overload');
    expect(classifyClose(1011, '', { beforeSetup: false, resuming: true })).toBe('overload');
  });
});

test.each([
  [302, 'config'],
  [400, 'config'],
  [401, 'auth'],
  [403, 'auth'],
  [404, 'config'],
  [409, 'overload'],
  [429, 'quota'],
  [500, 'overload'],
  [503, 'overload'],
])('HTTP %i at the upgrade means %s', (status, closeClass) => {
  expect(classifyUpgradeStatus(status)).toBe(closeClass);
});

test('only what another try cannot cure is not retryable', () => {
  const retryable = (closeClass: CloseClass) => new LiveConnectError(closeClass, '').retryable;
  expect([retryable('config'), retryable('auth')]).toEqual([false, false]);
  expect([retryable('quota'), retryable('network'), retryable('handle-refused')]).toEqual([true, true, true]);
});
