// Who listens to what. A listener that throws is logged and stops nobody else: neither the other listeners nor the SDK.

import { wrongArgument } from './errors.js';
import { EVENT } from './types.js';

const KNOWN = new Set(Object.values(EVENT));

export class Listeners {
  #log;
  #listeners = new Map();

  constructor(log) {
    this.#log = log;
  }

  add(name, handler, context, once) {
    check(name, handler);
    const list = this.#listeners.get(name) ?? [];
    this.#listeners.set(name, [...list, { handler, context, once }]);
  }

  remove(name, handler) {
    check(name, handler);
    const list = this.#listeners.get(name) ?? [];
    this.#listeners.set(
      name,
      list.filter((listener) => listener.handler !== handler),
    );
  }

  clear() {
    this.#listeners.clear();
  }

  /** Calls everyone who listened when it began. */
  raise(name, data) {
    for (const listener of this.#listeners.get(name) ?? []) {
      if (listener.once) {
        const rest = this.#listeners.get(name) ?? [];
        this.#listeners.set(
          name,
          rest.filter((other) => other !== listener),
        );
      }
      try {
        listener.handler.call(listener.context, { name, data });
      } catch (error) {
        this.#log.error(`a listener of ${name} threw`, error);
      }
    }
  }
}

function check(name, handler) {
  if (!KNOWN.has(name)) {
    throw wrongArgument(`there is no event ${String(name)}: take a member of EVENT, such as EVENT.MESSAGE_RECEIVED`);
  }
  if (typeof handler !== 'function') {
    throw wrongArgument(`the handler of ${name} has to be a function`);
  }
}
