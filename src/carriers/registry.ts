import { systemClock } from '../clock.ts';
import type { ApiDependencies } from './api-client.ts';
import { createAsteriskAdapter } from './asterisk/adapter.ts';
import type { AsteriskSettings } from './asterisk/settings.ts';
import type { CarrierAdapter, CarrierId } from './carrier.ts';
import { createJambonzAdapter } from './jambonz/adapter.ts';
import type { JambonzSettings } from './jambonz/settings.ts';
import { createPlivoAdapter } from './plivo/adapter.ts';
import type { PlivoSettings } from './plivo/settings.ts';
import { createSignalwireAdapter } from './signalwire/adapter.ts';
import type { SignalwireSettings } from './signalwire/settings.ts';
import { createTelnyxAdapter } from './telnyx/adapter.ts';
import type { TelnyxSettings } from './telnyx/settings.ts';
import { createTwilioAdapter } from './twilio/adapter.ts';
import type { TwilioSettings } from './twilio/settings.ts';
import { createVonageAdapter } from './vonage/adapter.ts';
import type { VonageSettings } from './vonage/settings.ts';

/** What the owner of each account tells us about it. */
export interface SettingsOf {
  readonly twilio: TwilioSettings;
  readonly telnyx: TelnyxSettings;
  readonly plivo: PlivoSettings;
  readonly vonage: VonageSettings;
  readonly signalwire: SignalwireSettings;
  readonly jambonz: JambonzSettings;
  readonly asterisk: AsteriskSettings;
}

/** One member per carrier, present when its credentials are configured. */
export type CarrierSettings = Partial<SettingsOf>;

export interface CarriersConfig extends CarrierSettings {
  /** The origin that carriers see: https, or http for a loopback host. */
  readonly publicUrl: string;
}

const SYSTEM: ApiDependencies = {
  clock: systemClock,
  random: Math.random,
  fetch: (url, init) => fetch(url, init),
  onProblem: () => {},
};

/**
 * The adapters of the configured carriers; a carrier that is not in the map answers 404.
 * @throws OffhookError ERR_CONFIG where a key cannot be used
 */
export function buildCarriers(
  config: CarriersConfig,
  dependencies: Partial<ApiDependencies> = {},
): ReadonlyMap<CarrierId, CarrierAdapter> {
  const outside = { ...SYSTEM, ...dependencies };
  const build = <Settings>(
    settings: Settings | undefined,
    create: (settings: Settings, publicUrl: string, dependencies: ApiDependencies) => CarrierAdapter,
  ): CarrierAdapter[] => (settings === undefined ? [] : [create(settings, config.publicUrl, outside)]);
  const adapters = [
    ...build(config.twilio, createTwilioAdapter),
    ...build(config.telnyx, createTelnyxAdapter),
    ...build(config.plivo, createPlivoAdapter),
    ...build(config.vonage, createVonageAdapter),
    ...build(config.signalwire, createSignalwireAdapter),
    ...build(config.jambonz, createJambonzAdapter),
    ...build(config.asterisk, createAsteriskAdapter),
  ];
  return new Map(adapters.map((adapter) => [adapter.id, adapter]));
}
