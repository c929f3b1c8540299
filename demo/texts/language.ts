import { get } from '../dom.ts';
import {
  fillPage,
  isLanguage,
  LANGUAGES,
  type Language,
  type PageTexts,
  preferredLanguage,
} from './languages.ts';

/** The storage key of the visitor's chosen language, which applies to all pages. */
const KEY = 'crispen-language';

/**
 * Shows the page in the language that the visitor chose, or else in the browser's language.
 * @param load makes a language the current one, and returns the text for the page's HTML
 * @param onChange rerenders everything that does not come from the HTML
 */
export async function startLanguage(
  load: (name: Language) => Promise<PageTexts>,
  onChange: () => void,
): Promise<void> {
  const select = get<HTMLSelectElement>('language');
  const root = document.documentElement;
  select.replaceChildren(
    ...Object.entries(LANGUAGES).map(([value, name]) => {
      const option = new Option(name, value);
      option.lang = value;
      return option;
    }),
  );
  const show = async (wanted: Language) => {
    const page = await load(wanted).catch((error: unknown) => {
      // If the text cannot be loaded, the page keeps its current language.
      console.warn(error);
      return null;
    });
    const isNew = page !== null && root.lang !== wanted;
    if (isNew) root.lang = wanted;
    select.value = root.lang;
    if (!isNew) return;
    fillPage(document, page);
    onChange();
  };
  select.addEventListener('change', () => {
    localStorage.setItem(KEY, select.value);
    void show(select.value as Language);
  });
  const chosen = localStorage.getItem(KEY) ?? '';
  await show(isLanguage(chosen) ? chosen : preferredLanguage(navigator.languages));
}
