// Brings a store into step with the server without a cursor: after the first login, and when the server says that what
// happened meanwhile cannot be told. First everything is asked for (`gather`), which may fail half-way without harm; then the
// state is replaced and compared at once (`rebuild`).

import { EVENT } from '../types.js';
import { receiptOf, Said } from './store.js';

const CONVERSATION_PAGES_MAX = 200;
const HISTORY_PAGE = 50;
/** How far back one conversation is compared: 1,000 messages. What is older is let go, and fetched when it is asked for. */
const HISTORY_PAGES_MAX = 20;

/** `ask(request, data)` asks the server. */
export async function gather(store, ask) {
  const conversations = [];
  let page = { next: undefined };
  for (let pages = 0; pages === 0 || (page.next !== undefined && pages < CONVERSATION_PAGES_MAX); pages++) {
    page = await ask('conversations', page.next === undefined ? {} : { after: page.next });
    conversations.push({ number: page.number, unread: page.unread, conversations: page.conversations });
  }
  const histories = new Map();
  if (store.inStep_s > 0) {
    for (const peer of toCompare(store, conversations)) histories.set(peer, await historySince(store, peer, ask));
  }
  return { conversations, histories };
}

/** Replaces the state by what was gathered, and says which events tell of the difference. */
export function rebuild(store, { conversations, histories }) {
  const said = new Said();
  store.forgetNumbers();
  const pages = conversations.map((page) => page.conversations);
  const listed = new Set(pages.flat().map(({ peer }) => peer));
  for (const peer of store.conversations.peers()) {
    if (listed.has(peer) || !store.conversations.wire(peer)?.time_s) continue;
    said.listChanged = store.conversations.drop(peer) || said.listChanged;
  }
  // Messages before conversations: what is said of read marks needs them.
  store.learnNames(pages.flat());
  for (const [peer, history] of histories) compare(store, peer, history, said);
  for (const page of conversations) store.applyConversations(page, said);
  return store.events(said);
}

/** Conversations with messages that are held, or with something that is not known. */
function toCompare(store, pages) {
  const peers = new Set(
    store.messages
      .all()
      .filter(({ wire }) => wire?.position > 0)
      .map(({ message }) => message.conversationID.slice(3)),
  );
  for (const { conversations } of pages) {
    for (const { peer, time_s, last_message } of conversations) {
      if (time_s >= store.inStep_s && last_message && !store.messages.get(last_message.msg_id)) peers.add(peer);
    }
  }
  return peers;
}

/** The newest messages, back to the oldest that is held or to the moment since when something may be missing. */
async function historySince(store, peer, ask) {
  const times = store.messages.ofPeer(peer).map(({ message }) => message.time);
  const since_s = times.reduce((oldest, time) => Math.min(oldest, time), store.inStep_s);
  const messages = [];
  let isComplete = false;
  for (let pages = 0; pages < HISTORY_PAGES_MAX && !isComplete; pages++) {
    const before = messages.length > 0 ? { before: messages[0].msg_key } : {};
    const page = await ask('history', { peer, count: HISTORY_PAGE, ...before });
    messages.unshift(...page.messages);
    isComplete = page.complete || page.messages.length === 0;
    if (!isComplete && timeOf(page.messages[0]) < since_s) break;
  }
  return { messages, isComplete };
}

function compare(store, peer, { messages, isComplete }, said) {
  const there = new Set(messages.map(({ msg_id }) => msg_id));
  for (const { message } of store.messages.ofPeer(peer)) {
    if (there.has(message.ID)) continue;
    // Within what was fetched it is gone; behind it nothing is known, and nothing old is shown as if it were true.
    message.isDeleted = isComplete || message.time > timeOf(messages[0]);
    store.messages.remove(message.ID);
  }
  for (const wire of messages) compareOne(store, wire, said);
}

function compareOne(store, wire, said) {
  const held = store.messages.get(wire.msg_id);
  if (!held && timeOf(wire) < store.inStep_s) return;
  const before = held?.wire;
  const entry = store.put(wire, {});
  const { message } = entry;
  if (!before && !entry.own && !entry.receivedTold) said.add(EVENT.MESSAGE_RECEIVED, message);
  if (!before) entry.receivedTold = true;
  if (message.isRevoked && !before?.recalled_by) {
    if (!entry.recallTold && !store.recalling.has(message.ID)) said.add(EVENT.MESSAGE_REVOKED, message);
    entry.recallTold = true;
  } else if (before && says(before) !== says(wire)) {
    said.add(EVENT.MESSAGE_MODIFIED, message);
  }
  if (message.flow === 'out' && wire.has_receipt && before && !before.has_receipt) {
    said.add(EVENT.MESSAGE_READ_RECEIPT_RECEIVED, receiptOf(message));
  }
}

function says({ body, custom_data }) {
  return JSON.stringify([body, custom_data ?? '']);
}

function timeOf({ msg_key }) {
  return Number(msg_key.split('_')[2]);
}
