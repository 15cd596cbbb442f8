/** Which models the emulated service has, and what each family takes, from the documents alone: see validate-setup.ts. */
import type { FamilyId } from '../../gemini/families.ts';

interface LiveModel {
  readonly family: FamilyId;
  /** Where the name is served: the Gemini API, or Google Cloud. */
  readonly at: 'gemini' | 'vertex' | 'both';
}

/** Model pages as of October 2026; names that were shut down are missing on purpose. */
export const LIVE_MODELS: Readonly<Record<string, LiveModel>> = {
  'gemini-2.5-flash-native-audio-preview-09-2025': { family: '2.5', at: 'gemini' },
  'gemini-2.5-flash-native-audio-preview-12-2025': { family: '2.5', at: 'gemini' },
  'gemini-live-2.5-flash-native-audio': { family: '2.5', at: 'vertex' },
  'gemini-3.1-flash-live-preview': { family: '3.1', at: 'both' },
  'gemini-3.8-live': { family: '3.8', at: 'both' },
  'gemini-3.8-live-extended-thinking': { family: '3.8-extended-thinking', at: 'both' },
};

export interface ModelProfile {
  readonly thinking: 'budget' | 'level' | 'none' | 'level-required';
  /** Fields that need the v1alpha endpoint, or that the family never takes. */
  readonly affectiveDialog: 'v1alpha' | 'never';
  readonly proactivity: 'v1alpha' | 'never';
  readonly defaultFunctionBehavior: 'BLOCKING' | 'NON_BLOCKING';
  readonly nonBlockingFunctions: boolean;
  readonly scheduling: boolean;
  /** Says with `turnComplete` whether more turns follow. */
  readonly interactionStatus: boolean;
}

const FLASH_LIVE: ModelProfile = {
  thinking: 'none',
  affectiveDialog: 'never',
  proactivity: 'v1alpha',
  defaultFunctionBehavior: 'NON_BLOCKING',
  nonBlockingFunctions: true,
  scheduling: true,
  interactionStatus: false,
};

/** The migration guides to 3.1 and 3.8, and a measured note of 25 September 2026. */
export const PROFILES: Readonly<Record<FamilyId, ModelProfile>> = {
  '2.5': {
    ...FLASH_LIVE,
    thinking: 'budget',
    affectiveDialog: 'v1alpha',
    defaultFunctionBehavior: 'BLOCKING',
  },
  '3.1': {
    ...FLASH_LIVE,
    thinking: 'level',
    proactivity: 'never',
    defaultFunctionBehavior: 'BLOCKING',
    nonBlockingFunctions: false,
  },
  '3.8': FLASH_LIVE,
  '3.8-extended-thinking': {
    ...FLASH_LIVE,
    thinking: 'level-required',
    scheduling: false,
    interactionStatus: true,
  },
};

/** The prebuilt voices; names are case-sensitive and an unknown one closes the socket instead of setupComplete. */
export const VOICES: ReadonlySet<string> = new Set(
  `Zephyr Puck Charon Kore Fenrir Leda Orus Aoede Callirrhoe Autonoe Enceladus Iapetus Umbriel Algieba Despina
   Erinome Algenib Rasalgethi Laomedeia Achernar Alnilam Schedar Gacrux Pulcherrima Achird Zubenelgenubi
   Vindemiatrix Sadachbia Sadaltager Sulafat`.split(/\s+/),
);
