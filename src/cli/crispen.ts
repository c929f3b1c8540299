import { runCommand } from './command.ts';
import { UPSCALE_USAGE, upscaleCommand } from './upscale.ts';

await runCommand(UPSCALE_USAGE, upscaleCommand);
