// What was asked and is not answered yet. No I/O: frames are handed out and answers handed in. When the connection breaks,
// what is safe to repeat waits for the next one; the rest fails at once.

import { ChatError, CODE } from '../errors.js';

/** A repeat of `send` within 120 s is known for what it is by the server; later it would be a second message. */
const SEND_REPEAT_MS = 100_000;

const ALWAYS = () => true;
export const NEVER = () => false;

/** Whether a request whose answer was lost may be sent again, by its age. */
const REPEAT = {
  send: (age_ms) => age_ms < SEND_REPEAT_MS,
  // Recalling twice is recalling; the caller knows by `repeated` what 20023 means then.
  recall: ALWAYS,
  receipt: ALWAYS,
  set_profile: ALWAYS,
  block: ALWAYS,
  unblock: ALWAYS,
  history: ALWAYS,
  conversations: ALWAYS,
  profiles: ALWAYS,
  online: ALWAYS,
  blocklist: ALWAYS,
  // Another device may have changed the message meanwhile, or a new one may have come that nobody has seen.
  modify: NEVER,
  read: NEVER,
  read_all: NEVER,
  delete_messages: NEVER,
  delete_conversation: NEVER,
  login: NEVER,
  logout: NEVER,
};

export class Requests {
  #next = 1;
  #open = new Map();

  /** `settle(error, data)` is called exactly once. `mayRepeat` overrides what holds for this kind of request. */
  add(request, data, now_ms, settle, mayRepeat = REPEAT[request]) {
    const id = this.#next++;
    const open = { id, request, data, first_ms: now_ms, mayRepeat, repeated: false, settle };
    this.#open.set(id, open);
    return { id, frame: frameOf(open) };
  }

  /** An answer has come. Whether anybody waited for it. */
  answer({ id, code, info, data }) {
    const open = this.#take(id);
    if (!open) return false;
    if (code === 0) {
      open.settle(null, data ?? {});
    } else {
      open.settle(
        Object.assign(new ChatError(code, info ?? `the server answered ${code}`), { repeated: open.repeated }),
      );
    }
    return true;
  }

  /** Nobody waits any longer for this one. */
  fail(id, error) {
    this.#take(id)?.settle(error);
  }

  failAll(error) {
    for (const id of [...this.#open.keys()]) this.fail(id, error);
  }

  /** The connection has ended. */
  broke(now_ms) {
    for (const open of [...this.#open.values()]) {
      if (open.mayRepeat(now_ms - open.first_ms)) continue;
      this.fail(open.id, new ChatError(CODE.REQUEST_FAILED, lostText(open.request)));
    }
  }

  /** The frames to send again on a new connection, in their first order. */
  repeat(now_ms) {
    this.broke(now_ms);
    const open = [...this.#open.values()];
    for (const one of open) one.repeated = true;
    return open.map(frameOf);
  }

  get size() {
    return this.#open.size;
  }

  #take(id) {
    const open = this.#open.get(id);
    this.#open.delete(id);
    return open;
  }
}

function frameOf({ id, request, data }) {
  return JSON.stringify(data === undefined ? { id, request } : { id, request, data });
}

function lostText(request) {
  return request === 'login'
    ? 'the connection broke before the login was answered: call login again'
    : `the connection broke before ${request} was answered, and it is not known whether it was done: ` +
        'look at the state once NET_STATE_CHANGE says connected';
}
