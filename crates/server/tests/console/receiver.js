// The app backend's end of the callbacks, behind HTTPS with a certificate that nobody knows yet. It takes every callback, or
// answers as a test wants.

import { once } from 'node:events';
import { STATUS_CODES } from 'node:http';
import { createServer } from 'node:https';
import { receiverCertificate } from './certificate.js';

const WAIT_MS = 10_000;

export class Receiver {
  /** What is answered: an HTTP status and an ErrorCode. */
  answers = { status: 200, ErrorCode: 0 };
  #arrivals = [];
  #waiting = new Set();
  #listener;

  static async start() {
    const receiver = new Receiver();
    const { ca, cert, key } = receiverCertificate();
    receiver.ca = ca;
    receiver.#listener = createServer({ cert, key }, (request, response) => receiver.#take(request, response));
    receiver.#listener.listen(0, '127.0.0.1');
    await once(receiver.#listener, 'listening');
    return receiver;
  }

  get url() {
    return `https://localhost:${this.#listener.address().port}/im`;
  }

  /** The first callback of `command` for which `fits` holds: `{headers, query, body}`. It may have come before. */
  async arrival(command, fits = () => true) {
    const wanted = (arrival) => arrival.body.CallbackCommand === command && fits(arrival);
    const there = this.#arrivals.find(wanted);
    if (there) return there;
    return new Promise((resolve, reject) => {
      const late = () =>
        reject(new Error(`no ${command} within ${WAIT_MS} ms; came: ${JSON.stringify(this.#arrivals)}`));
      this.#waiting.add({ wanted, resolve, timer: setTimeout(late, WAIT_MS) });
    });
  }

  async end() {
    this.#listener.closeAllConnections();
    await new Promise((closed) => this.#listener.close(closed));
  }

  async #take(request, response) {
    let said = '';
    for await (const part of request) said += part;
    const query = Object.fromEntries(new URL(request.url, 'https://receiver').searchParams);
    const arrival = { headers: request.headers, query, body: JSON.parse(said) };
    this.#arrivals.push(arrival);
    const { status, ErrorCode } = this.answers;
    const answer = JSON.stringify({ ActionStatus: ErrorCode ? 'FAIL' : 'OK', ErrorInfo: '', ErrorCode });
    response.writeHead(status).end(status === 200 ? answer : STATUS_CODES[status]);
    for (const waiting of this.#waiting) {
      if (!waiting.wanted(arrival)) continue;
      clearTimeout(waiting.timer);
      this.#waiting.delete(waiting);
      waiting.resolve(arrival);
    }
  }
}
