import { setFlagsFromString } from 'node:v8';
import { runCommand } from './command.ts';
import { UPSCALE_USAGE, upscaleCommand } from './upscale.ts';

// In Node 20, relaxed SIMD is behind a flag of V8. With it, the CPU backend takes a sixth less
// time. Later releases need no flag. Only this program sets it; others that load Crispen choose for
// themselves.
if (process.versions.node.startsWith('20.')) setFlagsFromString('--experimental-wasm-relaxed-simd');

await runCommand(UPSCALE_USAGE, upscaleCommand);
