// One conversation as this window holds it: its messages in their order, what failed, and what can be done with them.
//
// It tells its view of every change by the event "messages". A message is the SDK's own object; what the page knows
// beyond it (why it was not sent, what it said before its author recalled it) stays here, in this window's memory.

import Unsaid from './sdk/index.js';

const { TYPES } = Unsaid;

export class Conversation extends EventTarget {
  /** Oldest first. What is not sent stands at the end. */
  messages = [];
  /** True when nothing older is left on the server. */
  complete = false;
  loading = false;
  /** What is typed and not sent. */
  draft = '';
  /** The error of the last attempt to load, if it failed. */
  loadError = null;
  #account;
  #chat;
  #id;
  #next;
  #marking = false;
  #failures = new Map();
  #recallErrors = new Map();
  #words = new Map();

  constructor(account, chat, peer) {
    super();
    this.#account = account;
    this.#chat = chat;
    this.peer = peer;
    this.#id = `${TYPES.CONV_C2C}${peer}`;
  }

  get name() {
    return this.#account.nameOf(this.peer);
  }

  /** Puts the conversation into the list, if it is not there yet. */
  async open() {
    try {
      await this.#chat.getConversationProfile(this.#id);
    } catch (error) {
      this.loadError = error;
      this.#changed();
    }
  }

  /** One more page of history. */
  async loadOlder() {
    if (this.loading || this.complete) return;
    this.loading = true;
    this.loadError = null;
    this.#changed();
    try {
      const page = await this.#page(this.#next);
      this.#order([...page.messageList, ...this.messages]);
      this.#goOnFrom(page);
    } catch (error) {
      this.loadError = error;
    }
    this.loading = false;
    this.#changed();
  }

  /**
   * After a break: what the newest page says now. The SDK brings what happened meanwhile by events; this covers that
   * the break was too long for it.
   */
  async refresh() {
    if (this.messages.length === 0) return;
    const page = await this.#page().catch(() => null);
    if (!page) return;
    const held = new Set(this.messages.map((message) => message.ID));
    if (!page.messageList.some((message) => held.has(message.ID))) {
      this.messages = this.messages.filter((message) => message.status === 'fail');
      this.#goOnFrom(page);
    }
    this.#merge(page.messageList);
    this.#changed();
  }

  receive(messages) {
    this.#merge(messages);
    this.#changed();
  }

  /** Messages that say something else now: recalled, modified, read. */
  change(messages) {
    const held = new Map(this.messages.map((message) => [message.ID, message]));
    this.#merge(messages.filter((message) => held.has(message.ID)));
    this.#changed();
  }

  async send(words) {
    const message = this.#chat.createTextMessage({
      to: this.peer,
      conversationType: TYPES.CONV_C2C,
      payload: { text: words },
    });
    await this.#deliver(message, () => this.#chat.sendMessage(message));
  }

  async sendAgain(message) {
    this.#failures.delete(message.ID);
    await this.#deliver(message, () => this.#chat.resendMessage(message));
  }

  async recall(message) {
    const words = message.payload?.text;
    this.#recallErrors.delete(message.ID);
    try {
      await this.#chat.revokeMessage(message);
      if (words) this.#words.set(message.ID, words);
      this.#account.tell('announce', { recalled: message });
    } catch (error) {
      this.#recallErrors.set(message.ID, error);
    }
    this.#changed();
  }

  /** Everything in it is read, if something was unread. Where that fails, the next change tries again. */
  async markRead() {
    if (this.#marking || !(this.#account.listed(this.peer)?.unreadCount > 0)) return;
    this.#marking = true;
    await this.#chat.setMessageRead({ conversationID: this.#id }).catch(() => {});
    this.#marking = false;
  }

  /** Why `message` was not sent, or could not be recalled. */
  failureOf(message) {
    return this.#failures.get(message.ID) ?? null;
  }

  recallErrorOf(message) {
    return this.#recallErrors.get(message.ID) ?? null;
  }

  /** What a message said before it was recalled in this window. */
  wordsOf(message) {
    return this.#words.get(message.ID) ?? null;
  }

  isRecallable(message) {
    const sent = message.flow === 'out' && message.status === 'success' && !message.isRevoked;
    return sent && this.#account.recallLeft_s(message) > 0 && this.#recallErrors.get(message.ID)?.code !== 20016;
  }

  async #deliver(message, send) {
    const underway = send();
    this.#merge([message]);
    this.#changed();
    try {
      const answer = await underway;
      this.#merge([answer.data?.message ?? message]);
    } catch (error) {
      this.#failures.set(message.ID, error);
    }
    this.#changed();
  }

  async #page(nextReqMessageID) {
    const answer = await this.#chat.getMessageList({ conversationID: this.#id, nextReqMessageID });
    return answer.data;
  }

  #goOnFrom(page) {
    this.#next = page.nextReqMessageID;
    this.complete = page.isCompleted;
  }

  #merge(messages) {
    this.#order([...this.messages, ...messages]);
  }

  /** Of two with the same ID the later one holds, in the place of the earlier one. */
  #order(messages) {
    const held = new Map(messages.map((message) => [message.ID, message]));
    this.messages = [...held.values()].filter((message) => !message.isDeleted).sort(byPlace);
  }

  #changed() {
    this.dispatchEvent(new Event('messages'));
  }
}

/** By time; messages of the same second keep their order, and what is being sent stands last. */
function byPlace(one, other) {
  return Number(one.status === 'unSend') - Number(other.status === 'unSend') || one.time - other.time;
}
