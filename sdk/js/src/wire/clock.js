// Time and randomness, the only place that fetches them. Tests pass in another one.

export const systemClock = Object.freeze({
  now_ms: () => Date.now(),
  random: () => Math.random(),
  /** 32 random bits. */
  random32: () => {
    const crypto = globalThis.crypto;
    return crypto ? crypto.getRandomValues(new Uint32Array(1))[0] : Math.floor(Math.random() * 2 ** 32);
  },
  setTimer: (call, ms) => setTimeout(call, ms),
  clearTimer: (timer) => clearTimeout(timer),
});
