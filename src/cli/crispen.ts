import { setFlagsFromString } from 'node:v8';
import { runCommand } from './command.ts';
import { UPSCALE_USAGE, upscaleCommand } from './upscale.ts';

// Node 20 has relaxed SIMD, with which the CPU backend takes a sixth less time, behind a flag of V8.
// Later releases have it without, and other programs that load Crispen choose for themselves.
if (process.versions.node.startsWith('20.')) setFlagsFromString('--experimental-wasm-relaxed-simd');

await runCommand(UPSCALE_USAGE, upscaleCommand);
