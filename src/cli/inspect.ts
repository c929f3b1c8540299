import { runCommand } from './command.ts';
import { INSPECT_USAGE, inspectCommand } from './inspect-run.ts';

await runCommand(INSPECT_USAGE, inspectCommand);
