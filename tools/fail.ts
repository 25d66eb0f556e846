/** A mistake or a missing tool that the user can mend: shown as one line, without a stack trace. */
export class UserError extends Error {}

/** Runs a command-line tool: prints a `UserError` as one line and lets any other error through. */
export async function runTool(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    console.error(`evenkeel: ${error.message}`);
    process.exitCode = 1;
  }
}
