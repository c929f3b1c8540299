/** The texts in the visitor's language, and the choice of one. */
import { en, type Texts } from './en.ts';

export type { Texts } from './en.ts';

/** In the order of the list, each by its own name. */
export const LANGUAGES = {
  en: 'English',
  de: 'Deutsch',
  es: 'Español',
  ja: '日本語',
  zh: '中文',
} as const;
export type Language = keyof typeof LANGUAGES;

/** English is bundled, because the page is written in it. */
const LOADERS: Readonly<Record<Language, () => Promise<Texts>>> = {
  en: async () => en,
  de: async () => (await import('./de.ts')).de,
  es: async () => (await import('./es.ts')).es,
  ja: async () => (await import('./ja.ts')).ja,
  zh: async () => (await import('./zh.ts')).zh,
};

/** The current texts; `useLanguage` changes them. */
export let t: Texts = en;
export let language: Language = 'en';

export const isLanguage = (name: string): name is Language => Object.hasOwn(LANGUAGES, name);

/** The first known one of the browser's languages, such as `de` for `de-AT`. */
export function preferredLanguage(wanted: readonly string[]): Language {
  const bases = wanted.map((tag) => tag.split('-', 1)[0].toLowerCase());
  return bases.find(isLanguage) ?? 'en';
}

export async function useLanguage(name: Language): Promise<void> {
  t = await LOADERS[name]();
  language = name;
}

/** The attributes that hold texts, by the attribute that holds their key. */
export const TEXT_ATTRIBUTES = {
  'data-t-label': 'aria-label',
  'data-t-title': 'title',
  'data-t-alt': 'alt',
  'data-t-content': 'content',
  'data-t-optgroup': 'label',
} as const;

type PageKey = keyof Texts['page'];

/** Writes the texts of `t.page` into the elements that name their keys. */
export function fillPage(root: ParentNode): void {
  const each = (attribute: string, write: (element: Element, text: string) => void) => {
    for (const element of root.querySelectorAll(`[${attribute}]`)) {
      write(element, t.page[element.getAttribute(attribute) as PageKey]);
    }
  };
  each('data-t', (element, text) => {
    element.textContent = text;
  });
  for (const [key, attribute] of Object.entries(TEXT_ATTRIBUTES)) {
    each(key, (element, text) => element.setAttribute(attribute, text));
  }
  for (const { content } of root.querySelectorAll('template')) fillPage(content);
}
