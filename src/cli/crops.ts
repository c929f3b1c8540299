import { runCommand } from './command.ts';
import { CROPS_USAGE, cropsCommand } from './crops-run.ts';

await runCommand(CROPS_USAGE, cropsCommand);
