import type { Plugin } from 'vite';

/**
 * Puts the licences beside the built pages, and refuses to build with a package that THIRD-PARTY.md
 * does not name.
 */
export function licences(options: { readonly emit: boolean }): Plugin;
