import type { Plugin } from 'vite';

export interface PageTexts {
  readonly page: Readonly<Record<string, string>>;
  readonly attributes: Readonly<Record<string, string>>;
}
export function pageTexts(load: () => Promise<PageTexts>): Plugin;
export function fillHtml(
  html: string,
  page: PageTexts['page'],
  attributes: PageTexts['attributes'],
): string;
