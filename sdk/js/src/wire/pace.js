// Keeps the client below the gateway's bound (100 frames at once, 50 a second), a little under it since clocks differ.
// Pure: says how long to wait, and is told the time.

const AT_ONCE = 80;
const PER_SECOND = 45;

export class Pace {
  #tokens = AT_ONCE;
  #at_ms = 0;

  /** 0: send now, which is counted. Otherwise: ask again after so many milliseconds. */
  wait_ms(now_ms) {
    const passed_ms = Math.max(0, now_ms - this.#at_ms);
    this.#at_ms = now_ms;
    this.#tokens = Math.min(AT_ONCE, this.#tokens + (passed_ms * PER_SECOND) / 1000);
    if (this.#tokens >= 1) {
      this.#tokens -= 1;
      return 0;
    }
    return Math.ceil(((1 - this.#tokens) * 1000) / PER_SECOND);
  }
}
