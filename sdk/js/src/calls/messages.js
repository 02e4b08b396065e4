// Reading, changing and deleting messages that were sent.

import { messagesOfOne, object, peerOf, pieces, text } from '../arguments.js';
import { ChatError, CODE, notPartOfUnsaid, wrongArgument } from '../errors.js';
import { fill } from '../model/message.js';
import { bodyOf } from './send.js';

const PAGE_MAX = 15;
/** What `receipt` and `delete_messages` take at once. */
const KEYS_MAX = 30;

/** The next page back in time, oldest first. */
export async function getMessageList(core, options) {
  const { conversationID, nextReqMessageID, count } = object(options, 'the argument');
  const peer = peerOf(conversationID);
  const page = await history(core, peer, { before: keyOf(core, nextReqMessageID), count: pageSize(count) });
  return {
    messageList: page.messageList,
    nextReqMessageID: page.isCompleted ? '' : page.firstKey,
    isCompleted: page.isCompleted,
  };
}

/** A page that ends at `time` (seconds). */
export async function getMessageListHopping(core, options) {
  const { conversationID, time, sequence, direction = 0, count } = object(options, 'the argument');
  const peer = peerOf(conversationID);
  if (direction !== 0)
    throw notPartOfUnsaid('direction 1', 'histories are read towards older messages; leave direction out');
  if (sequence !== undefined) throw wrongArgument('sequence is for groups: use time, in seconds');
  if (time !== undefined && !Number.isInteger(time)) throw wrongArgument('time has to be a whole number of seconds');
  const page = await history(core, peer, { max_time_s: time, count: pageSize(count) });
  return {
    messageList: page.messageList,
    nextMessageTime: page.isCompleted ? 0 : page.messageList[0].time,
    isCompleted: page.isCompleted,
  };
}

export async function modifyMessage({ store, session }, message) {
  const entry = sentEntry(store, message);
  const { type, payload, elements, cloudCustomData } = message;
  const body = bodyOf({ type, payload, elements });
  const data = { to: entry.message.to, msg_key: entry.wire.msg_key, body, custom_data: cloudCustomData };
  try {
    if (entry.message.flow !== 'out') throw new ChatError(CODE.NO_MESSAGE, 'only its sender can modify a message');
    if (entry.message.isRevoked)
      throw new ChatError(CODE.RECALLED_BEFORE, 'the message was recalled: there is nothing to modify');
    const { number } = entry;
    await session.ask('modify', data);
    // Unless its push was first, or somebody else was.
    if (entry.number === number) {
      entry.wire = { ...entry.wire, body, custom_data: cloudCustomData, modified: true };
      fill(entry.message, entry.wire, (user) => store.person(user));
    }
  } catch (error) {
    fill(entry.message, entry.wire, (user) => store.person(user));
    error.data = { message: entry.message };
    throw error;
  }
  return { message: entry.message };
}

/** From this account's own history. One that was never sent is let go here. */
export async function deleteMessage({ store, session }, messageList) {
  const { peer, ids } = messagesOfOne(messageList);
  const entries = ids.map((ID) => store.messages.get(ID) ?? sentEntry(store, { ID }));
  const letGo = ({ message }) => {
    message.isDeleted = true;
    store.messages.remove(message.ID);
  };
  entries.filter(({ wire }) => wire === null).forEach(letGo);
  for (const some of pieces(
    entries.filter(({ wire }) => wire !== null),
    KEYS_MAX,
  )) {
    await session.ask('delete_messages', { peer, msg_keys: some.map(({ wire }) => wire.msg_key) });
    some.forEach(letGo);
  }
  return { messageList: entries.map(({ message }) => message) };
}

/** Those that were received, want a receipt and had none. */
export async function sendMessageReadReceipt({ store, session }, messageList) {
  const { peer, ids } = messagesOfOne(messageList);
  const entries = ids
    .map((ID) => sentEntry(store, { ID }))
    .filter(({ message, wire }) => message.flow === 'in' && wire.needs_receipt);
  const open = entries.filter(({ message }) => !message.readReceiptInfo.isPeerRead);
  for (const some of pieces(open, KEYS_MAX)) {
    await session.ask('receipt', { peer, msg_keys: some.map(({ wire }) => wire.msg_key) });
    for (const { message } of some) message.readReceiptInfo = { isPeerRead: true, timestamp: session.serverTime_s };
  }
  return { messageList: entries.map(({ message }) => message) };
}

/** What receipts say of messages that this account sent; pushes keep it true. */
export async function getMessageReadReceiptList({ store }, messageList) {
  const { ids } = messagesOfOne(messageList);
  return { messageList: ids.map((ID) => sentEntry(store, { ID }).message).filter(({ flow }) => flow === 'out') };
}

async function history({ store, session, raiseAll }, peer, fields) {
  // What an update tells while the question is under way is newer than the answer.
  const asOf = store.number ?? 0;
  const isKnown = store.conversations.wire(peer) !== undefined;
  const [page, conversations] = await Promise.all([
    session.ask('history', { peer, ...fields }),
    // How far the peer has read.
    isKnown ? null : session.ask('conversations', { peers: [peer] }),
  ]);
  if (conversations) raiseAll(store.applyConversations(conversations));
  const entries = page.messages.map((wire) => store.put(wire, { asOf }));
  return {
    messageList: entries.map(({ message }) => message),
    isCompleted: page.complete || entries.length === 0,
    firstKey: page.messages[0]?.msg_key,
  };
}

function keyOf({ store }, nextReqMessageID) {
  if (nextReqMessageID === undefined || nextReqMessageID === '') return undefined;
  // Some applications pass the ID of the oldest message that they show.
  return store.messages.get(nextReqMessageID)?.wire?.msg_key ?? text(nextReqMessageID, 'nextReqMessageID');
}

function pageSize(count = PAGE_MAX) {
  if (!Number.isInteger(count) || count < 1) throw wrongArgument('count has to be a whole number from 1 to 15');
  return Math.min(count, PAGE_MAX);
}

function sentEntry(store, message) {
  const entry = store.messages.get(object(message, 'the message').ID);
  if (!entry?.wire)
    throw new ChatError(
      CODE.NO_MESSAGE,
      `message ${message.ID} is not held here: load it with getMessageList, or send it first`,
    );
  return entry;
}
