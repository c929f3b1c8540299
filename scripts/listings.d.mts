import type { Plugin } from 'vite';

export function docsListings(): Plugin;
export function fillDocs(html: string): string;
export function table(markdown: string, section: string): string;
