// A line between one browser and the server, which a test can cut and mend: the person at its end is offline.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export class Line {
  #to;
  #listener = null;
  #port = 0;
  #ends = new Set();

  /** A line to the port `to` of this machine. */
  static async to(to) {
    const line = new Line();
    line.#to = to;
    await line.mend();
    return line;
  }

  get address() {
    return `http://127.0.0.1:${this.#port}`;
  }

  async mend() {
    this.#listener = createServer((near) => this.#join(near, connect(this.#to, '127.0.0.1')));
    this.#listener.listen(this.#port, '127.0.0.1');
    await once(this.#listener, 'listening');
    this.#port = this.#listener.address().port;
  }

  async cut() {
    const listener = this.#listener;
    this.#listener = null;
    for (const end of this.#ends) end.destroy();
    if (listener) await new Promise((closed) => listener.close(closed));
  }

  /** Whatever ends one side ends the other. */
  #join(near, far) {
    for (const [one, other] of [
      [near, far],
      [far, near],
    ]) {
      this.#ends.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.#ends.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }
}
