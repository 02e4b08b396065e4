// The conversations that this instance knows, each with the number of the update as of which it stands. A state of a lower
// number is older than what is held, and is passed over. Pins and drafts are this instance's own.

import { fillConversation } from '../model/conversation.js';
import { keyParts } from '../model/message.js';

export class Conversations {
  #held = new Map();
  /** Of the update that said last that this account has read everything. */
  #readAllNumber = 0;

  /** What the server says of a conversation as of update `number`. Whether the list looks different now. */
  put(wire, number) {
    const held = this.#held.get(wire.peer) ?? this.#add(wire.peer);
    if (number < held.number) return false;
    return this.#set(held, number < this.#readAllNumber ? { ...wire, unread: 0 } : wire, number);
  }

  /** This account has read everything, as of update `number`: the server names no conversations. Whether the list looks different now. */
  readAll(number) {
    this.#readAllNumber = number;
    const older = [...this.#held.values()].filter((held) => held.wire && held.number < number);
    const changes = older.map((held) => this.#set(held, { ...held.wire, unread: 0 }, held.number));
    return changes.includes(true);
  }

  /**
   * A message of the conversation is new or says something else, as of update `number`. The conversation itself may come
   * with a later push; until then its last message keeps up.
   */
  touch(peer, message, number, isNew) {
    const held = this.#held.get(peer) ?? (isNew ? this.#add(peer) : undefined);
    if (!held || number < held.number) return false;
    const last = held.wire?.last_message;
    if (isNew && message.no_last !== true && message.position >= (last?.position ?? 0)) {
      const wire = held.wire ?? emptyConversation(peer);
      return this.#set(held, { ...wire, last_message: message, time_s: keyParts(message.msg_key).time_s }, number);
    }
    if (last?.msg_id !== message.msg_id) return false;
    return this.#set(held, { ...held.wire, last_message: message }, number);
  }

  /** Changes that this instance has made itself and that the server has acknowledged. */
  patch(peer, fields) {
    const held = this.#held.get(peer);
    return held?.wire ? this.#set(held, { ...held.wire, ...fields }, held.number) : false;
  }

  /** Gone from the list, as of update `number`. */
  drop(peer, number) {
    const held = this.#held.get(peer);
    if (!held || (number !== undefined && number < held.number)) return false;
    const wasListed = isListed(held);
    held.wire = emptyConversation(peer, held.wire);
    held.number = number ?? held.number;
    fillConversation(held.conversation, held.wire, held);
    return wasListed;
  }

  /** Whether it is in the list even without a message, until one comes. Says whether the list is another one now. */
  setOpened(peer, isOpened) {
    const held = this.#held.get(peer) ?? this.#add(peer);
    const wasListed = isListed(held);
    held.wire ??= emptyConversation(peer);
    held.isOpened = isOpened;
    fillConversation(held.conversation, held.wire, held);
    return wasListed !== isListed(held);
  }

  /** What this instance alone knows: `isPinned`, `draftText`. */
  setLocal(peer, local) {
    const held = this.#held.get(peer);
    if (!held || !isListed(held)) return null;
    Object.assign(held, local);
    return fillConversation(held.conversation, held.wire, held);
  }

  wire(peer) {
    return this.#held.get(peer)?.wire ?? undefined;
  }

  conversation(peer) {
    return this.#held.get(peer)?.conversation;
  }

  peers() {
    return [...this.#held.keys()];
  }

  /** Pinned ones first, then the one that was touched last. */
  list() {
    const listed = [...this.#held.values()].filter(isListed);
    listed.sort(
      (a, b) => b.isPinned - a.isPinned || b.wire.time_s - a.wire.time_s || (a.wire.peer < b.wire.peer ? -1 : 1),
    );
    return listed.map((held) => held.conversation);
  }

  /** Numbers of another epoch mean nothing: whatever comes next holds. */
  forgetNumbers() {
    this.#readAllNumber = 0;
    for (const held of this.#held.values()) held.number = 0;
  }

  clear() {
    this.#readAllNumber = 0;
    this.#held.clear();
  }

  #add(peer) {
    const held = { conversation: {}, wire: null, number: 0, isOpened: false, isPinned: false, draftText: '' };
    this.#held.set(peer, held);
    return held;
  }

  #set(held, wire, number) {
    const before = JSON.stringify(held.wire);
    const wasListed = isListed(held);
    held.wire = wire;
    if (wire.time_s > 0) held.isOpened = false;
    held.number = Math.max(held.number, number);
    if (JSON.stringify(wire) === before) return false;
    fillConversation(held.conversation, wire, held);
    return wasListed || isListed(held);
  }
}

function isListed({ wire, isOpened }) {
  return wire !== null && (isOpened || wire.time_s > 0);
}

function emptyConversation(peer, { nick = '', face_url = '', read_position = 0, peer_read_position = 0 } = {}) {
  return { peer, nick, face_url, unread: 0, read_position, peer_read_position, time_s: 0 };
}
