import { runCommand } from './command.ts';
import { GOLDEN_USAGE, goldenCommand } from './golden-run.ts';

await runCommand(GOLDEN_USAGE, goldenCommand);
