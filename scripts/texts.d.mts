import type { Plugin } from 'vite';

/** Strings by their keys. */
type Named = Readonly<Record<string, string>>;

export function pageTexts(pages: Readonly<Record<string, Named>>, attributes: Named): Plugin;
export function fillHtml(html: string, page: Named, attributes: Named): string;
