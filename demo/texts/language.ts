import { get } from '../dom.ts';
import {
  fillPage,
  isLanguage,
  LANGUAGES,
  type Language,
  language,
  preferredLanguage,
  useLanguage,
} from './texts.ts';

/** The visitor's own choice. */
const KEY = 'crispen-language';

/**
 * Shows the page in the visitor's language: the chosen one, or else the browser's.
 * @param onChange renders everything that does not come from index.html
 */
export async function startLanguage(onChange: () => void): Promise<void> {
  const select = get<HTMLSelectElement>('language');
  select.replaceChildren(
    ...Object.entries(LANGUAGES).map(([value, name]) => {
      const option = new Option(name, value);
      option.lang = value;
      return option;
    }),
  );
  const show = async (wanted: Language) => {
    try {
      await useLanguage(wanted);
    } catch (error) {
      // Not loaded: the page stays in its language.
      console.warn(error);
    }
    select.value = language;
    if (document.documentElement.lang === language) return;
    document.documentElement.lang = language;
    fillPage(document);
    onChange();
  };
  select.addEventListener('change', () => {
    localStorage.setItem(KEY, select.value);
    void show(select.value as Language);
  });
  const chosen = localStorage.getItem(KEY) ?? '';
  await show(isLanguage(chosen) ? chosen : preferredLanguage(navigator.languages));
}
