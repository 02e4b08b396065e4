// The open conversation: its messages, which load as one scrolls up, and the composer.

import { element, icon, reconcile } from './element.js';
import { RecallClock } from './recall.js';
import { text } from './text.js';
import { dayName, isSameDay } from './time.js';
import { avatar } from './view-list.js';
import { lookOf, messageContent } from './view-message.js';

/** Messages of one person within this time stand together. */
const TOGETHER_S = 180;
/** Older messages are loaded when the reader is this close to the top. */
const NEAR_TOP_PX = 160;
/** The server's code for a UserID that it does not know. */
const NO_ACCOUNT = 20003;
/** Whoever is this close to the end stays at the end when messages come. */
const NEAR_END_PX = 60;

export class ConversationView {
  #account;
  #conversation;
  #clock;
  #log;
  #list;
  #top;
  #toEnd;
  #input;
  #render = () => this.#show();

  constructor(account, conversation, { onBack }) {
    this.#account = account;
    this.#conversation = conversation;
    this.#clock = new RecallClock(account, this.#render);
    this.#top = element('div', { class: 'top' });
    this.#list = element('ol', { class: 'messages' });
    this.#log = element('div', {
      class: 'log',
      tabindex: '0',
      role: 'region',
      'aria-label': text('messagesWith', conversation.name),
    });
    this.#log.append(this.#top, this.#list);
    this.#log.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    this.#toEnd = element(
      'button',
      { class: 'to-end', type: 'button', hidden: true, onclick: () => this.#goToEnd() },
      icon('down'),
      text('newMessages'),
    );
    this.element = element('section', { class: 'conversation', 'aria-label': conversation.name });
    this.element.append(
      this.#header(onBack),
      element('div', { class: 'log-frame' }, this.#log, this.#toEnd),
      this.#composer(),
    );
    conversation.addEventListener('messages', this.#render);
    account.addEventListener('conversations', this.#render);
  }

  /** Called once the view is in the page. */
  begin() {
    this.#show();
    this.#goToEnd();
    this.#fill();
    this.#fit();
    this.#input.focus({ preventScroll: true });
  }

  close() {
    this.#clock.stop();
    this.#conversation.removeEventListener('messages', this.#render);
    this.#account.removeEventListener('conversations', this.#render);
    this.element.remove();
  }

  #header(onBack) {
    const { peer, name } = this.#conversation;
    const back = element(
      'button',
      { class: 'quiet back', type: 'button', 'aria-label': text('back'), onclick: onBack },
      icon('back'),
    );
    const names = element(
      'div',
      { class: 'names' },
      element('h2', {}, name),
      name === peer ? null : element('p', {}, peer),
    );
    return element('header', { class: 'bar' }, back, avatar(peer, this.#account), names);
  }

  #composer() {
    const label = text('write', this.#conversation.name);
    this.#input = element('textarea', {
      rows: '1',
      'aria-label': label,
      placeholder: label,
      enterkeyhint: 'send',
      title: text('writeHint'),
    });
    this.#input.value = this.#conversation.draft;
    this.#input.addEventListener('input', () => this.#typed());
    this.#input.addEventListener('keydown', (event) => this.#key(event));
    const send = element('button', { class: 'send', type: 'submit', 'aria-label': text('send') }, icon('send'));
    const form = element('form', { class: 'composer' }, this.#input, send);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
    return form;
  }

  #typed() {
    this.#conversation.draft = this.#input.value;
    this.#fit();
  }

  #key(event) {
    // Enter that ends a word of an input method sends nothing.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      this.#send();
    } else if (event.key === 'ArrowUp' && this.#input.value === '') {
      const buttons = this.#list.querySelectorAll('.recall');
      if (buttons.length > 0) event.preventDefault();
      buttons[buttons.length - 1]?.focus();
    }
  }

  #send() {
    const words = this.#input.value.trim();
    if (words === '') return;
    this.#write('');
    this.#conversation.send(words);
    this.#goToEnd();
  }

  #write(words) {
    this.#input.value = words;
    this.#typed();
    this.#input.focus();
  }

  /** As high as what is typed. */
  #fit() {
    this.#input.style.height = 'auto';
    this.#input.style.height = `${this.#input.scrollHeight}px`;
  }

  #show() {
    const { scrollTop, scrollHeight, clientHeight } = this.#log;
    const fromEnd = scrollHeight - scrollTop;
    const atEnd = fromEnd - clientHeight < NEAR_END_PX;
    const last = this.#list.lastElementChild?.dataset.key;
    const hadFocus = this.#list.contains(document.activeElement);
    this.#showTop();
    reconcile(this.#list, this.#rows(), {
      key: (row) => row.key,
      make: (row) => element('li', { class: row.day ? 'day' : 'message' }),
      update: (item, row) => this.#showRow(item, row),
    });
    if (hadFocus && !this.#list.contains(document.activeElement)) this.#input.focus({ preventScroll: true });
    const came = this.#list.lastElementChild?.dataset.key !== last;
    if (atEnd) this.#goToEnd();
    else if (came) this.#toEnd.hidden = false;
    else this.#log.scrollTop = this.#log.scrollHeight - fromEnd;
    if (document.visibilityState === 'visible') this.#conversation.markRead();
  }

  #showTop() {
    const { loading, complete, loadError, messages } = this.#conversation;
    let content = [];
    if (loading) content = [element('p', { class: 'loading' }, text('earlier'))];
    else if (loadError?.code === NO_ACCOUNT) content = [text('noSuchAccount', this.#conversation.peer)];
    else if (loadError)
      content = [
        text('earlierFailed'),
        ' ',
        element('button', { class: 'again', type: 'button', onclick: () => this.#load() }, text('tryAgain')),
      ];
    else if (complete) content = [text('begins')];
    this.#top.classList.toggle('alone', messages.length === 0);
    this.#top.replaceChildren(...content);
  }

  /** Days and messages, and where a message stands among those of the same person. */
  #rows() {
    const rows = [];
    const messages = this.#conversation.messages.filter((message) => !message.isDeleted);
    messages.forEach((message, index) => {
      const [before, after] = [messages[index - 1], messages[index + 1]];
      if (!before || !isSameDay(before.time, message.time))
        rows.push({ key: `day ${dayName(message.time)}`, day: message.time });
      rows.push({
        key: message.ID,
        message,
        place: { first: !together(before, message), last: !together(message, after) },
      });
    });
    return rows;
  }

  #showRow(item, row) {
    if (row.day) {
      item.replaceChildren(element('span', {}, dayName(row.day)));
      return;
    }
    const { message, place } = row;
    const look = lookOf(message, this.#conversation, place);
    if (item.dataset.look === look) return;
    const isNews = item.dataset.look !== undefined && message.isRevoked && !item.classList.contains('recalled');
    item.dataset.look = look;
    item.className = [
      'message',
      message.flow === 'out' ? 'own' : 'theirs',
      place.first && 'first',
      place.last && 'last',
      message.isRevoked && 'recalled',
      isNews && 'vanishing',
    ]
      .filter(Boolean)
      .join(' ');
    item.replaceChildren(...messageContent(message, this.#tools()));
  }

  #tools() {
    const [account, conversation, clock] = [this.#account, this.#conversation, this.#clock];
    const does = {
      recall: (message) => conversation.recall(message),
      sendAgain: (message) => conversation.sendAgain(message),
      writeAgain: (words) => this.#write(words),
    };
    return { account, conversation, clock, does };
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#log;
    if (scrollHeight - scrollTop - clientHeight < NEAR_END_PX) this.#toEnd.hidden = true;
    if (scrollTop < NEAR_TOP_PX && !this.#conversation.loadError) this.#load();
  }

  #goToEnd() {
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#toEnd.hidden = true;
  }

  /** History until there is something to scroll. */
  async #fill() {
    const conversation = this.#conversation;
    while (!conversation.complete && !conversation.loadError && this.element.isConnected && this.#isShort()) {
      await this.#load();
      if (conversation.loading) return;
    }
  }

  #isShort() {
    return this.#log.scrollHeight < this.#log.clientHeight + NEAR_TOP_PX;
  }

  async #load() {
    await this.#conversation.loadOlder();
  }
}

function together(one, other) {
  if (!one || !other) return false;
  const near = other.time - one.time < TOGETHER_S && isSameDay(one.time, other.time);
  return near && one.from === other.from && !one.isRevoked === !other.isRevoked;
}
