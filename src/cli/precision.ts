import { runCommand } from './command.ts';
import { PRECISION_USAGE, precisionCommand } from './precision-run.ts';

await runCommand(PRECISION_USAGE, precisionCommand);
