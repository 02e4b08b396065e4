// What the SDK says on the console. Never a message's content, and never a UserSig.

/** 0 and 1 say what happens, 2 is warnings and errors, 3 errors alone, 4 nothing. */
export class Log {
  #level = 2;

  setLevel(level) {
    this.#level = level;
  }

  info(text) {
    if (this.#level <= 1) console.info(`unsaid-chat: ${text}`);
  }

  warn(text) {
    if (this.#level <= 2) console.warn(`unsaid-chat: ${text}`);
  }

  error(text, error) {
    if (this.#level <= 3) console.error(`unsaid-chat: ${text}`, error ?? '');
  }
}
