import { runCommand } from './command.ts';
import { REPORT_USAGE, reportCommand } from './report-run.ts';

await runCommand(REPORT_USAGE, reportCommand);
