// The app backend's end of the callbacks: takes every one, and lets a test wait for the one it wants.

import { once } from 'node:events';
import { createServer } from 'node:http';

const WAIT_MS = 10_000;

export class Receiver {
  #arrivals = [];
  #waiting = new Set();
  #listener;

  static async start() {
    const receiver = new Receiver();
    receiver.#listener = createServer((request, response) => receiver.#take(request, response));
    receiver.#listener.listen(0, '127.0.0.1');
    await once(receiver.#listener, 'listening');
    return receiver;
  }

  get endpoint() {
    return `http://127.0.0.1:${this.#listener.address().port}/im`;
  }

  /** The first callback of `command` for which `fits` holds: `{query, body}`. It may have come before. */
  async arrival(command, fits = () => true) {
    const wanted = ({ body }) => body.CallbackCommand === command && fits(body);
    const there = this.#arrivals.find(wanted);
    if (there) return there;
    return new Promise((resolve, reject) => {
      const late = () =>
        reject(new Error(`no ${command} within ${WAIT_MS} ms; came: ${JSON.stringify(this.#arrivals)}`));
      const waiting = { wanted, resolve, timer: setTimeout(late, WAIT_MS) };
      this.#waiting.add(waiting);
    });
  }

  /** How many of `command` have come. */
  count(command) {
    return this.#arrivals.filter(({ body }) => body.CallbackCommand === command).length;
  }

  async end() {
    this.#listener.closeAllConnections();
    await new Promise((closed) => this.#listener.close(closed));
  }

  async #take(request, response) {
    let said = '';
    for await (const part of request) said += part;
    const query = Object.fromEntries(new URL(request.url, 'http://receiver').searchParams);
    const arrival = { query, body: JSON.parse(said) };
    this.#arrivals.push(arrival);
    response.end(JSON.stringify({ ActionStatus: 'OK', ErrorCode: 0, ErrorInfo: '' }));
    for (const waiting of this.#waiting) {
      if (!waiting.wanted(arrival)) continue;
      clearTimeout(waiting.timer);
      this.#waiting.delete(waiting);
      waiting.resolve(arrival);
    }
  }
}
