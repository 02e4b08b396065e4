// One WebSocket, from its opening to its end. Says what comes in, and exactly once that it has ended; notices by a heartbeat
// when the other end is gone without a word. Knows nothing of what the frames mean.

import { Pace } from './pace.js';

/** So long nothing may come before the client asks whether the server is still there. */
const QUIET_MS = 25_000;
/** So long it waits for anything to come then, and for a connection to open. */
const PATIENCE_MS = 10_000;
/** The id of heartbeats; other requests count from 1. */
export const HEARTBEAT_ID = 0;
/** The bound of the gateway. */
export const FRAME_BYTES_MAX = 65_536;

export class Connection {
  #clock;
  #events;
  #socket;
  #timer;
  #pace = new Pace();
  #waiting = [];
  #paceTimer;
  #ended = false;

  /** `events`: `opened()`, `frame(object)`, `ended(closeCode)`. */
  constructor({ url, WebSocket, clock, events }) {
    this.#clock = clock;
    this.#events = events;
    this.#timer = clock.setTimer(() => this.#end(0), PATIENCE_MS);
    this.#socket = new WebSocket(url);
    this.#socket.onopen = () => this.#opened();
    this.#socket.onmessage = (event) => this.#received(event.data);
    this.#socket.onerror = () => {};
    this.#socket.onclose = (event) => this.#end(event.code ?? 0);
  }

  /** Sent in order; what goes beyond the gateway's pace waits here, and is dropped if the connection ends first. */
  send(frame) {
    this.#waiting.push(frame);
    if (this.#paceTimer === undefined) this.#drain();
  }

  close() {
    this.#end(0);
  }

  #opened() {
    if (this.#ended) return;
    this.#listen();
    this.#events.opened();
  }

  #received(data) {
    if (this.#ended) return;
    this.#listen();
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return this.#end(0);
    }
    this.#events.frame(frame);
  }

  #drain() {
    this.#paceTimer = undefined;
    while (this.#waiting.length > 0 && !this.#ended) {
      const wait_ms = this.#pace.wait_ms(this.#clock.now_ms());
      if (wait_ms > 0) {
        this.#paceTimer = this.#clock.setTimer(() => this.#drain(), wait_ms);
        return;
      }
      this.#socket.send(this.#waiting.shift());
    }
  }

  #listen() {
    this.#clock.clearTimer(this.#timer);
    this.#timer = this.#clock.setTimer(() => this.#ask(), QUIET_MS);
  }

  #ask() {
    this.send(JSON.stringify({ id: HEARTBEAT_ID, request: 'heartbeat' }));
    this.#timer = this.#clock.setTimer(() => this.#end(0), PATIENCE_MS);
  }

  #end(code) {
    if (this.#ended) return;
    this.#ended = true;
    this.#clock.clearTimer(this.#timer);
    this.#clock.clearTimer(this.#paceTimer);
    this.#waiting = [];
    this.#socket.close();
    this.#events.ended(code);
  }
}
