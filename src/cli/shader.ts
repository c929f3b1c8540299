import { runCommand } from './command.ts';
import { SHADER_USAGE, shaderCommand } from './shader-run.ts';

await runCommand(SHADER_USAGE, shaderCommand);
