/**
 * The texts of the bench page in the visitor's language. They are separate from the demo's texts,
 * because the demo does not load them.
 */
import type { Language, PageTexts } from '../../../demo/texts/languages.ts';
import { en, type Texts } from './en.ts';

/** English is bundled, because the page is written in English. */
const LOADERS: Readonly<Record<Language, () => Promise<Texts>>> = {
  en: async () => en,
  de: async () => (await import('./de.ts')).de,
  es: async () => (await import('./es.ts')).es,
  ja: async () => (await import('./ja.ts')).ja,
  zh: async () => (await import('./zh.ts')).zh,
};

/** The current texts. `useLanguage` changes them. */
export let t: Texts = en;

/** @returns the texts of bench.html */
export async function useLanguage(name: Language): Promise<PageTexts> {
  t = await LOADERS[name]();
  return t.page;
}
