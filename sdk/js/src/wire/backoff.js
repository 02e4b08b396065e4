// How long to wait before the next attempt to connect. Pure: the caller keeps the time and draws the lot.

const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;
/** Who was connected for so long begins anew with short pauses. */
const STEADY_MS = 10_000;

export class Backoff {
  #failures = 0;

  /** The next pause: from 0.5 s up to 30 s. `lot` is from 0 up to 1, so that not everyone comes back at once. */
  pause_ms(lot) {
    const ceiling_ms = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 10);
    return Math.round(ceiling_ms / 2 + (ceiling_ms / 2) * lot);
  }

  /** A connection has ended that was in use for so long. */
  ended(connected_ms) {
    if (connected_ms >= STEADY_MS) this.#failures = 0;
  }
}
