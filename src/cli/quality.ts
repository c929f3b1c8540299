import { runCommand } from './command.ts';
import { QUALITY_USAGE, qualityCommand } from './quality-run.ts';

await runCommand(QUALITY_USAGE, qualityCommand);
