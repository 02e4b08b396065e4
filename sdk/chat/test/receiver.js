// The app backend's end of the callbacks: takes every one.

import { createServer } from 'node:http';
import { Arrivals } from './arrivals.js';

export class Receiver extends Arrivals {
  static async start() {
    const receiver = new Receiver();
    const accepted = JSON.stringify({ ActionStatus: 'OK', ErrorCode: 0, ErrorInfo: '' });
    await receiver.listen(createServer(), (response) => response.end(accepted));
    return receiver;
  }

  get endpoint() {
    return `http://127.0.0.1:${this.port}/im`;
  }
}
