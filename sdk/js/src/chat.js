// The instance that applications hold: every method on one screen, in the order of the original. What a method does stands
// in calls/; here it gets its `{code: 0, data}`, and errors their class. What is not part of Unsaid is put in by methods.js.

import * as conversations from './calls/conversations.js';
import { createElementMessage, createForwardMessage, createMessage } from './calls/create.js';
import * as messages from './calls/messages.js';
import * as people from './calls/people.js';
import { revokeMessage } from './calls/recall.js';
import { resendMessage, sendMessage } from './calls/send.js';
import { object, text } from './arguments.js';
import { ChatError, wrongArgument } from './errors.js';
import { Listeners } from './events.js';
import { Log } from './log.js';
import { METHODS, refusal } from './methods.js';
import { Store } from './state/store.js';
import { TYPES } from './types.js';
import { systemClock } from './wire/clock.js';
import { Session } from './wire/session.js';
import { findWebSocket, gatewayUrl } from './wire/websocket.js';

export class Chat {
  #core;
  #listeners;
  #log = new Log();
  #hurry;

  /** `clock` is for tests. */
  constructor(options, clock = systemClock) {
    const { SDKAppID, server, proxyServer, WebSocket, platform = 'Web' } = object(options, 'the argument of create');
    if (!Number.isInteger(SDKAppID) || SDKAppID <= 0) throw wrongArgument('SDKAppID has to be the number of the app');
    if (server === undefined && proxyServer === undefined) {
      throw wrongArgument('server is missing: create({SDKAppID, server: "ws://127.0.0.1:8080/ws"})');
    }
    this.#listeners = new Listeners(this.#log);
    const raise = (name, data) => this.#listeners.raise(name, data);
    const store = new Store({ now_s: () => session.serverTime_s });
    const session = new Session({
      setup: {
        sdkAppID: SDKAppID,
        url: gatewayUrl(server ?? proxyServer),
        platform,
        findWebSocket: () => findWebSocket(WebSocket),
      },
      clock,
      store,
      raise,
      log: this.#log,
    });
    this.#core = {
      store,
      session,
      clock,
      raiseAll: (events) => events.forEach(({ name, data }) => raise(name, data)),
    };
    this.#hurry = () => session.hurry();
    globalThis.addEventListener?.('online', this.#hurry);
    // Methods may be handed on, and work through a proxy, in which frameworks like to wrap what they hold.
    for (const name of Object.getOwnPropertyNames(Chat.prototype)) {
      if (name !== 'constructor') this[name] = this[name].bind(this);
    }
  }

  // Life

  login(options) {
    return this.#answer(async ({ session, store }) => {
      const { userID, userSig } = object(options, 'the argument');
      const { errorInfo, repeatLogin } = await session.login(text(userID, 'userID'), text(userSig, 'userSig'));
      return { actionStatus: 'OK', errorCode: 0, errorInfo, repeatLogin, recallWindow: store.recallWindow_s };
    });
  }

  logout() {
    return this.#answer(async ({ session }) => {
      await session.logout();
      return {};
    });
  }

  async destroy() {
    const answer = await this.logout();
    globalThis.removeEventListener?.('online', this.#hurry);
    this.#listeners.clear();
    return answer;
  }

  getLoginUser() {
    return this.#core.session.ready ? this.#core.session.userID : '';
  }

  getServerTime() {
    return this.#core.session.serverTime_s;
  }

  isReady() {
    return this.#core.session.ready;
  }

  on(eventName, handler, context) {
    this.#listeners.add(eventName, handler, context, false);
  }

  once(eventName, handler, context) {
    this.#listeners.add(eventName, handler, context, true);
  }

  off(eventName, handler) {
    this.#listeners.remove(eventName, handler);
  }

  /** Accepted for the sake of ported code: nothing here takes a plugin. */
  registerPlugin(plugins) {
    object(plugins, 'the argument');
  }

  setLogLevel(level) {
    if (![0, 1, 2, 3, 4].includes(level)) throw wrongArgument('the log level has to be 0, 1, 2, 3 or 4');
    this.#log.setLevel(level);
  }

  // Messages

  createTextMessage(options) {
    return createMessage(this.#core, TYPES.MSG_TEXT, options);
  }

  createCustomMessage(options) {
    return createMessage(this.#core, TYPES.MSG_CUSTOM, options);
  }

  createFaceMessage(options) {
    return createMessage(this.#core, TYPES.MSG_FACE, options);
  }

  createLocationMessage(options) {
    return createMessage(this.#core, TYPES.MSG_LOCATION, options);
  }

  createImageMessage(options) {
    return createMessage(this.#core, TYPES.MSG_IMAGE, options);
  }

  createAudioMessage(options) {
    return createMessage(this.#core, TYPES.MSG_AUDIO, options);
  }

  createVideoMessage(options) {
    return createMessage(this.#core, TYPES.MSG_VIDEO, options);
  }

  createFileMessage(options) {
    return createMessage(this.#core, TYPES.MSG_FILE, options);
  }

  createForwardMessage(options) {
    return createForwardMessage(this.#core, options);
  }

  createElementMessage(options) {
    return createElementMessage(this.#core, options);
  }

  sendMessage(message, options) {
    return this.#answer((core) => sendMessage(core, message, options));
  }

  resendMessage(message, options) {
    return this.#answer((core) => resendMessage(core, message, options));
  }

  revokeMessage(message) {
    return this.#answer((core) => revokeMessage(core, message));
  }

  modifyMessage(message) {
    return this.#answer((core) => messages.modifyMessage(core, message));
  }

  deleteMessage(messageList) {
    return this.#answer((core) => messages.deleteMessage(core, messageList));
  }

  getMessageList(options) {
    return this.#answer((core) => messages.getMessageList(core, options));
  }

  getMessageListHopping(options) {
    return this.#answer((core) => messages.getMessageListHopping(core, options));
  }

  sendMessageReadReceipt(messageList) {
    return this.#answer((core) => messages.sendMessageReadReceipt(core, messageList));
  }

  getMessageReadReceiptList(messageList) {
    return this.#answer((core) => messages.getMessageReadReceiptList(core, messageList));
  }

  findMessage(messageID) {
    return this.#core.store.messages.get(messageID)?.message ?? null;
  }

  // Conversations

  setMessageRead(options) {
    return this.#answer((core) => conversations.setMessageRead(core, options));
  }

  setAllMessageRead(options) {
    return this.#answer((core) => conversations.setAllMessageRead(core, options));
  }

  getConversationList(options) {
    return this.#answer((core) => conversations.getConversationList(core, options));
  }

  getConversationProfile(conversationID) {
    return this.#answer((core) => conversations.getConversationProfile(core, conversationID));
  }

  deleteConversation(target) {
    return this.#answer((core) => conversations.deleteConversation(core, target));
  }

  clearHistoryMessage(conversationID) {
    return this.#answer((core) => conversations.clearHistoryMessage(core, conversationID));
  }

  pinConversation(options) {
    return this.#answer((core) => conversations.pinConversation(core, options));
  }

  setConversationDraft(options) {
    return this.#answer((core) => conversations.setConversationDraft(core, options));
  }

  getTotalUnreadMessageCount() {
    return this.#core.store.total;
  }

  // People

  getMyProfile() {
    return this.#answer((core) => people.getMyProfile(core));
  }

  getUserProfile(options) {
    return this.#answer((core) => people.getUserProfile(core, options));
  }

  updateMyProfile(options) {
    return this.#answer((core) => people.updateMyProfile(core, options));
  }

  getUserStatus(options) {
    return this.#answer((core) => people.getUserStatus(core, options));
  }

  getBlacklist() {
    return this.#answer((core) => people.getBlacklist(core));
  }

  addToBlacklist(options) {
    return this.#answer((core) => people.addToBlacklist(core, options));
  }

  removeFromBlacklist(options) {
    return this.#answer((core) => people.removeFromBlacklist(core, options));
  }

  async #answer(call) {
    try {
      return { code: 0, data: await call(this.#core) };
    } catch (error) {
      if (error instanceof ChatError) throw error;
      this.#log.error('this should not happen', error);
      throw error;
    }
  }
}

for (const method of METHODS) {
  if (method.here === 'no') Chat.prototype[method.name] = refusal(method);
}
