// The account that this window is logged in as: its conversations, its connection, and how its session ends.
//
// It wraps one instance of the SDK and tells the views by events: "conversations", "connection", "announce", and for
// the end of its session "kicked" and "refused" (the server does not take it back after a break).
// It never touches the document.

import Unsaid from './sdk/index.js';
import { Conversation } from './conversation.js';

const { EVENT, TYPES } = Unsaid;

/** How long a client may recall its message where the server does not say it. */
const RECALL_WINDOW_DEFAULT_S = 120;

export class Account extends EventTarget {
  /** The SDK's conversations, the latest first. */
  conversations = [];
  unread = 0;
  /** One of the SDK's TYPES.NET_STATE_*. */
  connection = TYPES.NET_STATE_CONNECTED;
  #chat;
  #opened = new Map();
  #listeners = [];
  #lastError = null;
  #recallWindow_s = RECALL_WINDOW_DEFAULT_S;

  constructor(credentials) {
    super();
    this.credentials = credentials;
    this.user = credentials.userID;
  }

  /** Logs in. Rejects with the SDK's error. */
  async logIn() {
    const { SDKAppID, userID, userSig } = this.credentials;
    const server = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`;
    this.#chat = Unsaid.create({ SDKAppID, server });
    this.#listen();
    const answer = await this.#chat.login({ userID, userSig });
    this.#recallWindow_s = answer.data?.recallWindow ?? RECALL_WINDOW_DEFAULT_S;
    const list = await this.#chat.getConversationList();
    this.#setConversations(list.data.conversationList);
    this.#setUnread(this.#chat.getTotalUnreadMessageCount());
  }

  /** Ends the session and forgets everything. */
  async logOut() {
    this.#unlisten();
    await this.#chat.destroy().catch(() => {});
  }

  /** The conversation with `peer`: the same object each time. */
  conversation(peer) {
    let conversation = this.#opened.get(peer);
    if (!conversation) {
      conversation = new Conversation(this, this.#chat, peer);
      this.#opened.set(peer, conversation);
    }
    return conversation;
  }

  /** What the conversation list knows of `peer`, if it is in there. */
  listed(peer) {
    return this.conversations.find((listed) => peerOf(listed) === peer);
  }

  /** The name to show for a UserID. */
  nameOf(user) {
    return this.listed(user)?.userProfile?.nick || user;
  }

  /** Seconds that are left for recalling `message`; 0 and less: too late. */
  recallLeft_s(message) {
    return message.time + this.#recallWindow_s - this.#chat.getServerTime();
  }

  get recallWindow_s() {
    return this.#recallWindow_s;
  }

  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #listen() {
    this.#on(EVENT.CONVERSATION_LIST_UPDATED, (conversations) => this.#setConversations(conversations));
    this.#on(EVENT.TOTAL_UNREAD_MESSAGE_COUNT_UPDATED, (unread) => this.#setUnread(unread));
    this.#on(EVENT.MESSAGE_RECEIVED, (messages) => this.#received(messages));
    this.#on(EVENT.MESSAGE_REVOKED, (messages) => this.#recalled(messages));
    this.#on(EVENT.MESSAGE_MODIFIED, (messages) => this.#changed(messages));
    this.#on(EVENT.MESSAGE_READ_BY_PEER, (messages) => this.#changed(messages));
    this.#on(EVENT.NET_STATE_CHANGE, ({ state }) => this.#setConnection(state));
    this.#on(EVENT.KICKED_OUT, ({ type }) => this.tell('kicked', type));
    this.#on(EVENT.ERROR, (error) => (this.#lastError = error));
    this.#on(EVENT.SDK_NOT_READY, () => this.tell('refused', this.#lastError));
  }

  #on(name, handle) {
    const listener = (event) => handle(event.data);
    this.#chat.on(name, listener);
    this.#listeners.push([name, listener]);
  }

  #unlisten() {
    for (const [name, listener] of this.#listeners.splice(0)) this.#chat.off(name, listener);
  }

  #setConversations(conversations) {
    this.conversations = conversations.filter((listed) => listed.type === TYPES.CONV_C2C);
    this.tell('conversations');
  }

  #setUnread(unread) {
    this.unread = unread;
    this.tell('conversations');
  }

  #setConnection(state) {
    const returned = state === TYPES.NET_STATE_CONNECTED && this.connection !== TYPES.NET_STATE_CONNECTED;
    this.connection = state;
    this.tell('connection');
    if (returned) for (const conversation of this.#opened.values()) conversation.refresh();
  }

  #received(messages) {
    this.#perConversation(messages, (conversation, those) => conversation.receive(those));
    for (const message of messages) if (message.flow === 'in') this.tell('announce', { received: message });
  }

  #recalled(messages) {
    this.#changed(messages);
    for (const message of messages) this.tell('announce', { recalled: message });
  }

  #changed(messages) {
    this.#perConversation(messages, (conversation, those) => conversation.change(those));
  }

  #perConversation(messages, handle) {
    for (const [peer, conversation] of this.#opened) {
      const those = messages.filter((message) => message.conversationID === `${TYPES.CONV_C2C}${peer}`);
      if (those.length > 0) handle(conversation, those);
    }
  }
}

/** The UserID that a conversation of the list is with. */
export function peerOf(listed) {
  return listed.userProfile?.userID || listed.conversationID.slice(TYPES.CONV_C2C.length);
}

/** Who recalled `message`, or the last message of a conversation. */
export function recalledBy(message) {
  return message.revokerInfo?.userID || message.revoker;
}

export const CONNECTION = {
  connected: TYPES.NET_STATE_CONNECTED,
};

export const KICKED = {
  expired: TYPES.KICKED_OUT_USERSIG_EXPIRED,
  byBackend: TYPES.KICKED_OUT_REST_API,
};
