// The list of conversations and its counts. It is held here and kept true by pushes; questions to the server are few.

import { object, peerOf, text } from '../arguments.js';
import { ChatError, CODE, wrongArgument } from '../errors.js';
import { TYPES } from '../types.js';

/** All, those with the given IDs, or those that a filter lets pass. */
export async function getConversationList({ store, session }, options) {
  session.requireReady();
  const list = store.conversations.list();
  if (options === undefined) return answer(list);
  if (Array.isArray(options)) return answer(list.filter(({ conversationID }) => options.includes(conversationID)));
  const { type, groupName, markType, hasUnreadCount, hasGroupAtInfo } = object(options, 'the argument');
  if (type !== undefined && type !== TYPES.CONV_C2C) return answer([]);
  // Folders, marks and mentions are not part of Unsaid: no conversation has any.
  if (groupName !== undefined || markType !== undefined || hasGroupAtInfo === true) return answer([]);
  if (hasUnreadCount === undefined) return answer(list);
  return answer(list.filter(({ unreadCount }) => unreadCount > 0 === hasUnreadCount));
}

function answer(conversationList) {
  return { conversationList, isSyncCompleted: true };
}

/** One conversation. One that does not exist yet is opened in this instance. */
export async function getConversationProfile({ store, session, raiseAll }, conversationID) {
  const peer = peerOf(conversationID);
  const [page, { profiles }] = await Promise.all([
    session.ask('conversations', { peers: [peer] }),
    session.ask('profiles', { users: [peer] }),
  ]);
  if (profiles.length === 0) throw new ChatError(CODE.NO_ACCOUNT, `there is no account ${peer}`);
  const [{ nick, face_url }] = profiles;
  raiseAll(store.applyConversations(page));
  const isRenamed = store.conversations.patch(peer, { nick, face_url });
  const isNew = store.conversations.wire(peer).time_s === 0 && store.conversations.setOpened(peer, true);
  if (isRenamed || isNew) raiseAll([store.listEvent()]);
  return { conversation: store.conversations.conversation(peer) };
}

/** A conversation's ID, or `{conversationIDList, clearHistoryMessage}`. */
export async function deleteConversation({ store, session, raiseAll }, target) {
  const isOne = typeof target === 'string';
  const { conversationIDList, clearHistoryMessage = true } = isOne
    ? { conversationIDList: [target] }
    : object(target, 'the argument');
  if (!Array.isArray(conversationIDList))
    throw wrongArgument('conversationIDList has to be an array of conversation IDs');
  for (const peer of conversationIDList.map(peerOf)) {
    await session.ask('delete_conversation', { peer, clear_history: clearHistoryMessage === true });
    if (clearHistoryMessage) store.forgetMessages(peer);
    raiseAll(store.dropped(peer, 'gone'));
  }
  return isOne ? { conversationID: target } : { conversationIDList };
}

/** The messages go, the conversation stays in the list of this instance. */
export async function clearHistoryMessage({ store, session, raiseAll }, conversationID) {
  const peer = peerOf(conversationID);
  await session.ask('delete_conversation', { peer, clear_history: true });
  store.forgetMessages(peer);
  raiseAll(store.dropped(peer, 'empty'));
  return { conversationID };
}

export async function setMessageRead({ store, session, raiseAll }, options) {
  const { conversationID } = object(options, 'the argument');
  const peer = peerOf(conversationID);
  const before = store.reads(peer);
  await session.ask('read', { peer });
  raiseAll(store.markedRead([[peer, before]]));
  return { conversationID };
}

export async function setAllMessageRead({ store, session, raiseAll }, options = {}) {
  const { scope = TYPES.READ_ALL_MSG } = object(options, 'the argument');
  const scopes = [TYPES.READ_ALL_MSG, TYPES.READ_ALL_C2C_MSG, TYPES.READ_ALL_GROUP_MSG];
  if (!scopes.includes(scope)) throw wrongArgument(`scope has to be one of ${scopes.join(', ')}`);
  if (scope === TYPES.READ_ALL_GROUP_MSG) return {};
  const before = store.conversations.peers().map((peer) => [peer, store.reads(peer)]);
  await session.ask('read_all');
  raiseAll(store.markedRead(before));
  return {};
}

export async function pinConversation(core, options) {
  const { conversationID, isPinned } = object(options, 'the argument');
  if (typeof isPinned !== 'boolean') throw wrongArgument('isPinned has to be true or false');
  return setLocal(core, conversationID, { isPinned });
}

export async function setConversationDraft(core, options) {
  const { conversationID, draftText } = object(options, 'the argument');
  if (typeof draftText !== 'string') throw wrongArgument('draftText has to be a text; an empty one removes the draft');
  return setLocal(core, conversationID, { draftText });
}

function setLocal({ store, session, raiseAll }, conversationID, local) {
  session.requireReady();
  const conversation = store.conversations.setLocal(peerOf(text(conversationID, 'conversationID')), local);
  if (!conversation) throw wrongArgument(`${conversationID} is not in the list: open it with getConversationProfile`);
  raiseAll([store.listEvent()]);
  return { conversationID };
}
