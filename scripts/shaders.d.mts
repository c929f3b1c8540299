import type { Plugin } from 'vite';

export function bareShaders(): Plugin;
export function stripComments(source: string): string;
