import { setFlagsFromString } from 'node:v8';
import { runCommand } from './command.ts';
import { UPSCALE_USAGE, upscaleCommand } from './upscale.ts';

// In Node 20, relaxed SIMD requires a V8 flag. Relaxed SIMD reduces the CPU backend's running time
// by a sixth. Later Node releases do not need the flag. The library itself does not set it, but
// programs that import the library can.
if (process.versions.node.startsWith('20.')) setFlagsFromString('--experimental-wasm-relaxed-simd');

await runCommand(UPSCALE_USAGE, upscaleCommand);
