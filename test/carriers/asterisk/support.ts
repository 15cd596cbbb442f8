import type { AsteriskSettings } from '../../../src/carriers/asterisk/settings.ts';
import type { RawRequest } from '../../../src/carriers/carrier.ts';

export const CALL = '1795170643.0';
export const settings = {
  username: 'offhook',
  passwords: ['newest-password', 'older-password'],
  ari: null,
} as const satisfies AsteriskSettings;

export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** The upgrade as Asterisk 22.10 writes it. */
export function handshake(
  target: string,
  authorization: string | string[] | undefined = basic(settings.username, settings.passwords[0]),
): RawRequest {
  const headers = {
    host: '127.0.0.1:8080',
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-version': '13',
    'sec-websocket-protocol': 'media',
    'sec-websocket-key': 'azCdfwAAAACEKh0YAAAAAA==',
    authorization,
  };
  return { method: 'GET', target, headers, body: Buffer.alloc(0) };
}
