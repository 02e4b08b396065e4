// The state of a login: messages, conversations, totals, who is logged in. Pushes come in, and a list of events comes out,
// which describes a state that is already reached. No I/O. Applying a push twice changes nothing and tells nothing.

import { peerOfWire, tombstoneOf } from '../model/message.js';
import { EVENT } from '../types.js';
import { Conversations } from './conversations.js';
import { Messages } from './messages.js';

export class Store {
  messages;
  conversations = new Conversations();
  self = '';
  accountNumber = '';
  recallWindow_s = 0;
  total = 0;
  /** The server's second up to which this state is known to be complete. */
  inStep_s = 0;
  /** IDs of messages whose recall by this instance is under way. */
  recalling = new Set();
  /** The latest update that was applied; null before the first. */
  number = null;
  #totalNumber = 0;
  /** How often an update said that this account has read something, by peer. */
  #reads = new Map();
  #profile = { nick: '', face_url: '' };
  #now_s;

  constructor({ now_s, messagesMax }) {
    this.#now_s = now_s;
    this.messages = new Messages(messagesMax);
  }

  setSelf(userID, { account_number, recall_window_s, nick, face_url }) {
    this.self = userID;
    this.accountNumber = account_number;
    this.recallWindow_s = recall_window_s;
    this.#profile = { nick, face_url };
  }

  setProfile(fields) {
    this.#profile = { ...this.#profile, ...fields };
  }

  get profile() {
    return { user_id: this.self, ...this.#profile };
  }

  /** Name and face of this account, or of someone with whom there is a conversation. */
  person(userID) {
    if (userID === this.self) return this.#profile;
    const { nick = '', face_url = '' } = this.conversations.wire(userID) ?? {};
    return { nick, face_url };
  }

  clear() {
    this.messages.clear();
    this.conversations.clear();
    this.recalling.clear();
    this.#reads.clear();
    Object.assign(this, { self: '', accountNumber: '', total: 0, number: null, inStep_s: 0 });
    this.#totalNumber = 0;
    this.#profile = { nick: '', face_url: '' };
  }

  /** What happened (`updates`): changes the state, and says which events to raise now. */
  apply(push) {
    const said = new Said();
    this.learnNames(push.conversations);
    for (const update of push.updates) {
      if (this.number !== null && update.number <= this.number) continue;
      this.#update(update, said);
      this.number = update.number;
    }
    for (const wire of push.conversations) this.#conversation(wire, push.number, said);
    this.setTotal(push.unread, push.number, said);
    return this.events(said);
  }

  /** A page of conversations, or some that were asked for. */
  applyConversations(page, said = new Said()) {
    for (const wire of page.conversations) this.#conversation(wire, page.number, said);
    this.setTotal(page.unread, page.number, said);
    return this.events(said);
  }

  /** Names and faces of people who are not known yet: their messages are made before their conversations. */
  learnNames(conversations) {
    for (const { peer, nick, face_url } of conversations) {
      if (this.conversations.wire(peer)) continue;
      const unknown = { unread: 0, read_position: 0, peer_read_position: 0, time_s: 0 };
      this.conversations.put({ peer, nick, face_url, ...unknown }, 0);
    }
  }

  /** A message that is stored nowhere. */
  online(wire) {
    const said = new Said();
    const entry = this.put(wire, {});
    if (!entry.own && !entry.receivedTold) said.add(EVENT.MESSAGE_RECEIVED, entry.message);
    entry.receivedTold = true;
    return this.events(said);
  }

  /** What the server says of a message; see `Messages.put`. One that was held and is read now is said in `said`. */
  put(wire, { asOf, number, said }) {
    const wasHeld = this.messages.get(wire.msg_id) !== undefined;
    const entry = this.messages.put(wire, { self: this.self, person: (user) => this.person(user), asOf, number });
    const { message } = entry;
    const { peer_read_position = 0 } = this.conversations.wire(message.to) ?? {};
    const { position } = entry.wire;
    if (message.flow === 'out' && !entry.readTold && position > 0 && position <= peer_read_position) {
      message.isPeerRead = entry.readTold = true;
      if (wasHeld) said?.readByPeer.push(message);
    }
    return entry;
  }

  /** The server has taken a message of this instance. */
  sent(entry, wire) {
    const said = new Said();
    if (entry.wire?.position > 0) return [];
    this.put(wire, {});
    if (wire.no_last !== true && !entry.isOnlineOnly) this.#touch(wire, this.number ?? 0, true, said);
    return this.events(said);
  }

  /** The server has taken back a message of this instance. */
  recalled(entry) {
    const said = new Said();
    entry.recallTold = true;
    if (entry.message.isRevoked) return [];
    this.put(tombstoneOf(entry.wire, this.self), {});
    this.#touch(entry.wire, this.number ?? 0, false, said);
    return this.events(said);
  }

  /** How often this account was said to have read what `peer` sent; to be compared later. */
  reads(peer) {
    return this.#reads.get(peer) ?? 0;
  }

  /** The server has taken read marks of this instance. `before`: each peer, and its `reads` before they were sent. */
  markedRead(before) {
    const said = new Said();
    for (const [peer, reads] of before) {
      const { unread = 0 } = this.conversations.wire(peer) ?? {};
      // Nothing to do, or the push has come first.
      if (unread === 0 || this.reads(peer) !== reads) continue;
      said.listChanged = this.conversations.patch(peer, { unread: 0 }) || said.listChanged;
      this.setTotal(Math.max(0, this.total - unread), this.#totalNumber, said);
    }
    return this.events(said);
  }

  /** This instance has deleted a conversation (`gone`), or emptied it (`empty`). */
  dropped(peer, what) {
    const said = new Said();
    const { unread = 0 } = this.conversations.wire(peer) ?? {};
    said.listChanged = this.conversations.drop(peer);
    this.conversations.setOpened(peer, what === 'empty');
    this.setTotal(Math.max(0, this.total - unread), this.#totalNumber, said);
    return this.events(said);
  }

  listEvent() {
    return { name: EVENT.CONVERSATION_LIST_UPDATED, data: this.conversations.list() };
  }

  /** In this order: messages, read marks, the list, the total. */
  events(said) {
    const events = [...said.events];
    if (said.readByPeer.length > 0) events.push({ name: EVENT.MESSAGE_READ_BY_PEER, data: said.readByPeer });
    if (said.listChanged) events.push(this.listEvent());
    if (said.totalChanged) events.push({ name: EVENT.TOTAL_UNREAD_MESSAGE_COUNT_UPDATED, data: this.total });
    return events;
  }

  setTotal(unread, number, said) {
    if (number < this.#totalNumber) return;
    this.#totalNumber = number;
    if (unread === this.total) return;
    this.total = unread;
    said.totalChanged = true;
  }

  /** Numbers of another epoch mean nothing. */
  forgetNumbers() {
    this.number = null;
    this.#totalNumber = 0;
    this.conversations.forgetNumbers();
    for (const entry of this.messages.all()) entry.number = 0;
  }

  #update(update, said) {
    const { number, kind } = update;
    switch (kind) {
      case 'message':
        return this.#received(update, said);
      case 'recall':
        return this.#recall(update, said);
      case 'modify':
        said.add(EVENT.MESSAGE_MODIFIED, this.#changed(update, said).message);
        return;
      case 'receipt':
        return this.#receipt(update, said);
      case 'read':
        this.#reads.set(update.peer, this.reads(update.peer) + 1);
        return;
      case 'read_all':
        for (const peer of this.conversations.peers()) this.#reads.set(peer, this.reads(peer) + 1);
        said.listChanged = this.conversations.readAll(number) || said.listChanged;
        return;
      case 'delete':
        return this.#deleted(update);
      case 'delete_conversation':
        said.listChanged = this.conversations.drop(update.peer, number) || said.listChanged;
        return;
      // `read_by_peer` tells in its conversation how far; kinds that are not known yet change nothing here.
      default:
    }
  }

  #received({ number, message: wire }, said) {
    const entry = this.put(wire, { number, said });
    if (!entry.own && !entry.receivedTold) said.add(EVENT.MESSAGE_RECEIVED, entry.message);
    entry.receivedTold = true;
    this.#touch(wire, number, true, said);
  }

  #recall(update, said) {
    const entry = this.#changed(update, said);
    const byThisInstance = this.recalling.has(entry.message.ID) && entry.wire.recalled_by === this.self;
    if (!byThisInstance && !entry.recallTold) said.add(EVENT.MESSAGE_REVOKED, entry.message);
    entry.recallTold = true;
  }

  #receipt(update, said) {
    const { message } = this.#changed(update, said);
    message.readReceiptInfo = { isPeerRead: true, timestamp: this.#now_s() };
    if (message.flow !== 'out') return;
    message.isPeerRead = true;
    said.add(EVENT.MESSAGE_READ_RECEIPT_RECEIVED, receiptOf(message));
  }

  #changed({ number, message: wire }, said) {
    const entry = this.put(wire, { number, said });
    this.#touch(wire, number, false, said);
    return entry;
  }

  #deleted({ peer, from, msg_key }) {
    for (const { message, wire } of this.messages.ofPeer(peer)) {
      if (wire.from !== from || wire.msg_key !== msg_key) continue;
      message.isDeleted = true;
      this.messages.remove(message.ID);
    }
  }

  #touch(wire, number, isNew, said) {
    const changed = this.conversations.touch(peerOfWire(wire, this.self), wire, number, isNew);
    said.listChanged = changed || said.listChanged;
  }

  #conversation(wire, number, said) {
    const before = this.conversations.wire(wire.peer)?.peer_read_position ?? 0;
    said.listChanged = this.conversations.put(wire, number) || said.listChanged;
    if (this.conversations.wire(wire.peer).peer_read_position > before) this.#markReadByPeer(wire.peer, said);
    if (wire.cleared_position > 0) this.forgetMessages(wire.peer, wire.cleared_position);
  }

  /** Messages of a conversation up to a position are not in this account's history any more. */
  forgetMessages(peer, upTo = Infinity) {
    for (const { message, wire } of this.messages.ofPeer(peer)) {
      if (wire.position > upTo) continue;
      message.isDeleted = true;
      this.messages.remove(message.ID);
    }
  }

  /** Exactly those that became read: sent by this account, up to the peer's position, and not marked before. */
  #markReadByPeer(peer, said) {
    const { peer_read_position } = this.conversations.wire(peer);
    for (const entry of this.messages.ofPeer(peer)) {
      if (entry.readTold || entry.message.flow !== 'out' || entry.wire.position > peer_read_position) continue;
      entry.readTold = true;
      entry.message.isPeerRead = true;
      said.readByPeer.push(entry.message);
    }
  }
}

/** What is to be raised once the state is reached. Events of one kind that follow each other become one. */
export class Said {
  events = [];
  readByPeer = [];
  listChanged = false;
  totalChanged = false;

  add(name, item) {
    const last = this.events.at(-1);
    if (last?.name === name) last.data.push(item);
    else this.events.push({ name, data: [item] });
  }
}

export function receiptOf(message) {
  return { userID: message.to, messageID: message.ID, isPeerRead: true, groupID: '', readCount: 0, unreadCount: 0 };
}
