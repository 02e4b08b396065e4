// The callbacks that came to an app backend. A test waits for the one that it wants.

import { once } from 'node:events';

const WAIT_MS = 10_000;

export class Arrivals {
  #all = [];
  #waiting = new Set();
  #listener;

  /** Listens on a free port. `answer(response)` answers each callback. */
  async listen(listener, answer) {
    this.#listener = listener.on('request', (request, response) => this.#take(request, response, answer));
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
  }

  get port() {
    return this.#listener.address().port;
  }

  /** The first callback of `command` for which `fits` holds: `{headers, query, body}`. It may have come before. */
  async arrival(command, fits = () => true) {
    const wanted = (arrival) => arrival.body.CallbackCommand === command && fits(arrival);
    const there = this.#all.find(wanted);
    if (there) return there;
    return new Promise((resolve, reject) => {
      const late = () => reject(new Error(`no ${command} within ${WAIT_MS} ms; came: ${JSON.stringify(this.#all)}`));
      this.#waiting.add({ wanted, resolve, timer: setTimeout(late, WAIT_MS) });
    });
  }

  /** How many of `command` have come. */
  count(command) {
    return this.#all.filter(({ body }) => body.CallbackCommand === command).length;
  }

  async end() {
    this.#listener.closeAllConnections();
    await new Promise((closed) => this.#listener.close(closed));
  }

  async #take(request, response, answer) {
    let said = '';
    for await (const part of request) said += part;
    const query = Object.fromEntries(new URL(request.url, 'http://receiver').searchParams);
    const arrival = { headers: request.headers, query, body: JSON.parse(said) };
    this.#all.push(arrival);
    answer(response);
    for (const waiting of this.#waiting) {
      if (!waiting.wanted(arrival)) continue;
      clearTimeout(waiting.timer);
      this.#waiting.delete(waiting);
      waiting.resolve(arrival);
    }
  }
}
