// The app backend's end of the callbacks, behind HTTPS with a certificate that nobody knows yet. It takes every callback, or
// answers as a test wants.

import { STATUS_CODES } from 'node:http';
import { createServer } from 'node:https';
import { Arrivals } from '../../../../sdk/chat/test/arrivals.js';
import { receiverCertificate } from './certificate.js';

export class Receiver extends Arrivals {
  /** What is answered: an HTTP status and an ErrorCode. */
  answers = { status: 200, ErrorCode: 0 };

  static async start() {
    const receiver = new Receiver();
    const { ca, cert, key } = receiverCertificate();
    receiver.ca = ca;
    await receiver.listen(createServer({ cert, key }), (response) => receiver.#answer(response));
    return receiver;
  }

  get url() {
    return `https://localhost:${this.port}/im`;
  }

  #answer(response) {
    const { status, ErrorCode } = this.answers;
    const answer = JSON.stringify({ ActionStatus: ErrorCode ? 'FAIL' : 'OK', ErrorInfo: '', ErrorCode });
    response.writeHead(status).end(status === 200 ? answer : STATUS_CODES[status]);
  }
}
