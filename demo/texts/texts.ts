/** The demo's text in the visitor's language. */
import { en, type Texts } from './en.ts';
import type { Language, PageTexts } from './languages.ts';

export type { Texts } from './en.ts';

/** English is part of the bundle, because the page's HTML is written in English. */
const LOADERS: Readonly<Record<Language, () => Promise<Texts>>> = {
  en: async () => en,
  de: async () => (await import('./de.ts')).de,
  es: async () => (await import('./es.ts')).es,
  ja: async () => (await import('./ja.ts')).ja,
  zh: async () => (await import('./zh.ts')).zh,
};

/** The current text, which `useLanguage` replaces. */
export let t: Texts = en;
export let language: Language = 'en';

/**
 * Makes a language the current one.
 * @returns the text for index.html
 */
export async function useLanguage(name: Language): Promise<PageTexts> {
  t = await LOADERS[name]();
  language = name;
  return t.page;
}
