export { findChromium, findSwiftShader } from '../src/cli/drivers.mjs';
export function ensureChromium(): { chromium: string; swiftShader: string | null };
