import { runCommand } from './command.ts';
import { TUNE_USAGE, tuneCommand } from './tune-run.ts';

await runCommand(TUNE_USAGE, tuneCommand);
