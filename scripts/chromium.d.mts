export { findChromium, findSwiftShader } from '../src/node/drivers.mjs';
export function ensureChromium(): { chromium: string; swiftShader: string | null };
