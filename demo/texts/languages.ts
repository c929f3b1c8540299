/** The languages of the pages, and what fills a page in one of them. The demo and the bench share this. */

/** In the order of the list, each by its own name. */
export const LANGUAGES = {
  en: 'English',
  de: 'Deutsch',
  es: 'Español',
  ja: '日本語',
  zh: '中文',
} as const;
export type Language = keyof typeof LANGUAGES;

export const isLanguage = (name: string): name is Language => Object.hasOwn(LANGUAGES, name);

/** The first known one of the browser's languages, such as `de` for `de-AT`. */
export function preferredLanguage(wanted: readonly string[]): Language {
  const bases = wanted.map((tag) => tag.split('-', 1)[0].toLowerCase());
  return bases.find(isLanguage) ?? 'en';
}

/** The attributes that hold texts, by the attribute that holds their key. */
export const TEXT_ATTRIBUTES = {
  'data-t-label': 'aria-label',
  'data-t-title': 'title',
  'data-t-alt': 'alt',
  'data-t-content': 'content',
  'data-t-optgroup': 'label',
} as const;

/** The texts of an HTML file by their keys. */
export type PageTexts = Readonly<Record<string, string>>;

/** Writes the texts into the elements that name their keys. */
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
