/** Runs a command for people: what goes wrong is said in a line and ends it with 1, a mistake in its options with 2. */
export async function runTransfer(usage: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const { message, cause } = error as Error;
    console.error(cause instanceof Error ? `${message} (${cause.message})` : message);
    const isUsage = `${(error as NodeJS.ErrnoException).code}`.startsWith('ERR_PARSE_ARGS');
    if (isUsage) console.error(usage);
    process.exitCode = isUsage ? 2 : 1;
  }
}

/** An option that must be given. @throws like `parseArgs` where it is not. */
export function required(name: string, value: string | undefined): string {
  if (value !== undefined) return value;
  throw Object.assign(new Error(`--${name} is missing`), { code: 'ERR_PARSE_ARGS_MISSING' });
}
