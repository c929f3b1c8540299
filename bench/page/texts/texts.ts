/**
 * The bench page's text in the visitor's language. It is separate from the demo's text, because the
 * demo does not load it.
 */
import type { Language, PageTexts } from '../../../demo/texts/languages.ts';
import { en, type Texts } from './en.ts';

/** English is bundled, because the page's HTML is written in English. */
const LOADERS: Readonly<Record<Language, () => Promise<Texts>>> = {
  en: async () => en,
  de: async () => (await import('./de.ts')).de,
  es: async () => (await import('./es.ts')).es,
  ja: async () => (await import('./ja.ts')).ja,
  zh: async () => (await import('./zh.ts')).zh,
};

/** The current text, which `useLanguage` replaces. */
export let t: Texts = en;

/** @returns the text for bench.html */
export async function useLanguage(name: Language): Promise<PageTexts> {
  t = await LOADERS[name]();
  return t.page;
}
