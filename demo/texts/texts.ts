import { en, type Texts } from './en.ts';

export type { Texts } from './en.ts';

/** The texts in the visitor's language. */
export const t: Texts = en;
