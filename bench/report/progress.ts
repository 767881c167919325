const isTerminal = process.stdout.isTTY === true;

/** What is being done: one line that is rewritten on a terminal; elsewhere a line for each new `what`. */
export class Progress {
  #last = '';

  doing(what: string, detail = ''): void {
    if (isTerminal) process.stdout.write(`\r\x1b[K… ${what} ${detail}`.slice(0, process.stdout.columns));
    else if (what !== this.#last) console.log(`… ${what}`);
    this.#last = what;
  }

  /** A line that stays. */
  line(text: string): void {
    if (isTerminal) process.stdout.write('\r\x1b[K');
    console.log(text);
  }
}
