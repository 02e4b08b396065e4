// The list of conversations, and the field that begins a new one.

import { peerOf } from './account.js';
import { element, icon, reconcile } from './element.js';
import { preview } from './message-text.js';
import { text } from './text.js';
import { listTime, machineTime } from './time.js';

/** As many colours as chat.css has for avatars. */
const TONES = 6;
/** What a badge shows at most. */
const BADGE_MAX = 99;

export class ListView {
  #account;
  #list;
  #empty;
  #opened = null;
  #onOpen;
  #render = () => this.#show();

  constructor(account, { onOpen }) {
    this.#account = account;
    this.#onOpen = onOpen;
    this.#list = element('ul', { class: 'conversations' });
    this.#list.addEventListener('keydown', (event) => this.#key(event));
    this.#empty = element('p', { class: 'empty' }, text('noConversations'));
    this.element = element(
      'nav',
      { class: 'list', 'aria-label': text('conversations') },
      this.#newForm(),
      this.#empty,
      this.#list,
    );
    account.addEventListener('conversations', this.#render);
    this.#show();
  }

  /** Which conversation is open; null is none. */
  mark(peer) {
    this.#opened = peer;
    this.#show();
  }

  focus(peer) {
    const items = [...this.#list.querySelectorAll('button')];
    (items.find((item) => item.dataset.peer === peer) ?? items[0] ?? this.element.querySelector('input')).focus();
  }

  close() {
    this.#account.removeEventListener('conversations', this.#render);
    this.element.remove();
  }

  #newForm() {
    const label = text('newConversation');
    const input = element('input', {
      name: 'peer',
      'aria-label': label,
      placeholder: label,
      autocomplete: 'off',
      autocapitalize: 'none',
      spellcheck: 'false',
      maxlength: '32',
    });
    const open = element(
      'button',
      { class: 'quiet', type: 'submit', 'aria-label': text('startConversation') },
      icon('plus'),
    );
    const form = element('form', { class: 'new' }, input, open);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const peer = input.value.trim();
      if (peer === '' || peer === this.#account.user) return;
      input.value = '';
      this.#onOpen(peer);
    });
    return form;
  }

  #show() {
    const { conversations } = this.#account;
    this.#empty.hidden = conversations.length > 0;
    reconcile(this.#list, conversations, {
      key: (listed) => listed.conversationID,
      make: () => element('li'),
      update: (item, listed) => this.#showItem(item, listed),
    });
    this.#oneTabStop();
  }

  #showItem(item, listed) {
    const peer = peerOf(listed);
    const open = peer === this.#opened;
    const time_s = listed.lastMessage?.lastTime;
    const look = JSON.stringify([open, listed.unreadCount, listTime(time_s), listed.lastMessage, listed.userProfile]);
    if (item.dataset.look === look) return;
    item.dataset.look = look;
    let button = item.firstElementChild;
    if (!button) {
      button = element('button', { type: 'button', 'data-peer': peer, onclick: () => this.#onOpen(peer) });
      item.append(button);
    }
    button.classList.toggle('has-unread', listed.unreadCount > 0);
    if (open) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
    button.replaceChildren(...this.#itemContent(listed, peer, time_s));
  }

  #itemContent(listed, peer, time_s) {
    const time = time_s ? element('time', { datetime: machineTime(time_s) }, listTime(time_s)) : null;
    const last = listed.lastMessage;
    const line = element(
      'span',
      { class: last?.isRevoked ? 'preview is-recalled' : 'preview', dir: 'auto' },
      preview(last, this.#account),
    );
    const badge = listed.unreadCount > 0 ? unreadBadge(listed.unreadCount) : null;
    const name = element('span', { class: 'name' }, this.#account.nameOf(peer));
    return [
      avatar(peer, this.#account),
      element(
        'span',
        { class: 'item' },
        element('span', { class: 'row' }, name, ' ', time),
        ' ',
        element('span', { class: 'row' }, line, ' ', badge),
      ),
    ];
  }

  /** Tab reaches the list once, at the open conversation; the arrow keys move in it. */
  #oneTabStop() {
    const items = [...this.#list.querySelectorAll('button')];
    const stop =
      items.find((item) => item === document.activeElement) ??
      items.find((item) => item.dataset.peer === this.#opened) ??
      items[0];
    for (const item of items) item.tabIndex = item === stop ? 0 : -1;
  }

  #key(event) {
    const items = [...this.#list.querySelectorAll('button')];
    const at = items.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    items[Math.min(items.length - 1, Math.max(0, to))].focus();
    this.#oneTabStop();
  }
}

/** A person's picture, or the first letter of the name on one of the page's colours. */
export function avatar(user, account) {
  const address = account.listed(user)?.userProfile?.avatar ?? '';
  const round = element('span', { class: `avatar tone-${toneOf(user)}`, 'aria-hidden': 'true' });
  if (address.startsWith('https://')) round.append(element('img', { src: address, alt: '' }));
  else round.append([...account.nameOf(user)][0]?.toUpperCase() ?? '');
  return round;
}

function unreadBadge(count) {
  const short = count > BADGE_MAX ? `${BADGE_MAX}+` : String(count);
  return element(
    'span',
    { class: 'badge' },
    element('span', { 'aria-hidden': 'true' }, short),
    element('span', { class: 'unseen' }, text('unread', count)),
  );
}

function toneOf(user) {
  let mixed = 7;
  for (const letter of user) mixed = (Math.imul(mixed, 33) ^ letter.codePointAt(0)) >>> 0;
  return mixed % TONES;
}
