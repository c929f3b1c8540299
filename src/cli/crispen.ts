import { setFlagsFromString } from 'node:v8';
import { runCommand } from './command.ts';
import { UPSCALE_USAGE, upscaleCommand } from './upscale.ts';

// In Node 20, relaxed SIMD requires a flag of V8. With relaxed SIMD, the CPU backend takes a sixth
// less time. Later releases need no flag. Only this program sets the flag. Programs that import
// Crispen can set it themselves.
if (process.versions.node.startsWith('20.')) setFlagsFromString('--experimental-wasm-relaxed-simd');

await runCommand(UPSCALE_USAGE, upscaleCommand);
