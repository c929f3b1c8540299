/**
 * The languages that the pages support, and functions that fill a page with text. The demo and the
 * benchmark page share this module.
 */

/** The languages in the order in which the pages list them. Each name is in its own language. */
export const LANGUAGES = {
  en: 'English',
  de: 'Deutsch',
  es: 'Español',
  ja: '日本語',
  zh: '中文',
} as const;
export type Language = keyof typeof LANGUAGES;

export const isLanguage = (name: string): name is Language => Object.hasOwn(LANGUAGES, name);

/** Returns the first of the browser's languages that is supported, such as `de` for `de-AT`. */
export function preferredLanguage(wanted: readonly string[]): Language {
  const bases = wanted.map((tag) => tag.split('-', 1)[0].toLowerCase());
  return bases.find(isLanguage) ?? 'en';
}

/** Maps each attribute that contains a text key to the attribute that receives the text. */
export const TEXT_ATTRIBUTES = {
  'data-t-label': 'aria-label',
  'data-t-title': 'title',
  'data-t-alt': 'alt',
  'data-t-content': 'content',
  'data-t-optgroup': 'label',
} as const;

/** Maps keys to the text in an HTML file. */
export type PageTexts = Readonly<Record<string, string>>;

/** Writes each text into the elements that refer to its key. */
export function fillPage(root: ParentNode, page: PageTexts): void {
  const each = (attribute: string, write: (element: Element, text: string) => void) => {
    for (const element of root.querySelectorAll(`[${attribute}]`)) {
      write(element, page[element.getAttribute(attribute)!]);
    }
  };
  each('data-t', (element, text) => {
    element.textContent = text;
  });
  for (const [key, attribute] of Object.entries(TEXT_ATTRIBUTES)) {
    each(key, (element, text) => element.setAttribute(attribute, text));
  }
  for (const { content } of root.querySelectorAll('template')) fillPage(content, page);
}
