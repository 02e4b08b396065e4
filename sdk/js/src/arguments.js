// What callers pass in is checked here, once, and turned into what the rest can rely on.

import { ChatError, CODE, notPartOfUnsaid, wrongArgument } from './errors.js';
import { TYPES } from './types.js';

export function text(value, name) {
  if (typeof value !== 'string' || value === '') throw wrongArgument(`${name} has to be a text that is not empty`);
  return value;
}

export function object(value, name) {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw wrongArgument(`${name} has to be an object`);
  return value;
}

export function userList(options) {
  const list = object(options, 'the argument').userIDList;
  if (!Array.isArray(list)) throw wrongArgument('userIDList has to be an array of user IDs');
  return [...new Set(list.map((user) => text(user, 'each member of userIDList')))];
}

/** The other account of a conversation: `C2Cjared` is `jared`. */
export function peerOf(conversationID) {
  const id = text(conversationID, 'conversationID');
  if (id === TYPES.CONV_SYSTEM) throw new ChatError(CODE.SYSTEM_CONVERSATION, 'Unsaid has no system conversation');
  if (id.startsWith('GROUP') || id.startsWith('TOPIC')) throw notPartOfUnsaid(id, 'it has no groups');
  if (!id.startsWith('C2C') || id.length === 3) {
    throw wrongArgument(`conversationID has to be "C2C" and a user ID, for example C2Cjared; it is ${id}`);
  }
  return id.slice(3);
}

/** Messages of one conversation, and who the other one is. */
export function messagesOfOne(messageList) {
  if (!Array.isArray(messageList) || messageList.length === 0) {
    throw wrongArgument('messageList has to be an array of at least one Message');
  }
  const peers = new Set(
    messageList.map((message) => peerOf(object(message, 'each member of messageList').conversationID)),
  );
  if (peers.size !== 1) throw wrongArgument('messageList has to be of one conversation; call again for the next one');
  return { peer: [...peers][0], ids: messageList.map((message) => text(message.ID, 'ID of each message')) };
}

/** `many` in pieces of at most `size`. */
export function pieces(many, size) {
  const result = [];
  for (let start = 0; start < many.length; start += size) result.push(many.slice(start, start + size));
  return result;
}
