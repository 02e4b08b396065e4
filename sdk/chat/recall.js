// "Recall" on one's own messages, with the time that is left for it.
//
// One clock moves all countdowns of a view. When a message's time is over its button goes; the server decides all the
// same, and says 20016 to whoever comes too late.

import { element, svgElement } from './element.js';
import { wordsOf } from './message-text.js';
import { text } from './text.js';
import { minutesAndSeconds } from './time.js';

const TICK_MS = 500;

export class RecallClock {
  #account;
  #buttons = new Map();
  #timer = null;
  #onOver;

  /** `onOver` is called when the time of some message has passed. */
  constructor(account, onOver) {
    this.#account = account;
    this.#onOver = onOver;
  }

  /** The button that recalls `message`. */
  button(message, onclick) {
    const left = element('span', { class: 'left', 'aria-hidden': 'true' });
    const rest = svgElement('circle', {
      class: 'rest',
      cx: 8,
      cy: 8,
      r: 6.5,
      pathLength: 100,
      'stroke-dasharray': '100 100',
    });
    const track = svgElement('circle', { class: 'track', cx: 8, cy: 8, r: 6.5 });
    const ring = svgElement('svg', { class: 'ring', viewBox: '0 0 16 16', 'aria-hidden': 'true' }, track, rest);
    const which = element('span', { class: 'unseen' }, text('which', wordsOf(message)));
    const button = element(
      'button',
      { class: 'recall', type: 'button', onclick },
      ring,
      element('span', {}, text('recall')),
      which,
      left,
    );
    this.#buttons.set(button, { message, left, rest });
    this.#show(button);
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    return button;
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = null;
    this.#buttons.clear();
  }

  #tick() {
    for (const button of this.#buttons.keys()) if (!button.isConnected) this.#buttons.delete(button);
    let over = false;
    for (const [button, { message }] of this.#buttons) {
      this.#show(button);
      over ||= this.#account.recallLeft_s(message) <= 0;
    }
    if (over) this.#onOver();
    if (this.#buttons.size === 0) this.stop();
  }

  #show(button) {
    const { message, left, rest } = this.#buttons.get(button);
    const left_s = this.#account.recallLeft_s(message);
    const part = Math.min(100, Math.max(0, (left_s / this.#account.recallWindow_s) * 100));
    left.textContent = minutesAndSeconds(left_s);
    rest.setAttribute('stroke-dasharray', `${part.toFixed(1)} 100`);
  }
}
