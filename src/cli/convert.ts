import { runCommand } from './command.ts';
import { CONVERT_USAGE, convertCommand } from './convert-run.ts';

await runCommand(CONVERT_USAGE, convertCommand);
