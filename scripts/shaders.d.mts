import type { Plugin } from 'vite';

export function bareShaders(): Plugin;
export function compactShader(source: string): string;
