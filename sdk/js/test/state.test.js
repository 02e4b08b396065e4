// What pushes do to the state, and which events they cause, in which order.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Store } from '../src/state/store.js';
import { EVENT } from '../src/types.js';
import { NOW_S, tombstone, wireConversation, wireMessage, wireUpdates } from './support/double.js';

function store(messagesMax) {
  const made = new Store({ now_s: () => NOW_S, messagesMax });
  made.setSelf('me', { account_number: '100', recall_window_s: 120, nick: 'Me', face_url: '' });
  return made;
}

const names = (events) => events.map(({ name }) => name);
const dataOf = (events, name) => events.find((event) => event.name === name)?.data;

test('whoever has read everything elsewhere has nothing unread here, also not in what was asked for before', () => {
  const state = store();
  const [message, later] = [wireMessage(1), wireMessage(3)];
  const of = (number, wire, unread) =>
    wireUpdates([[number, 'message', { message: wire }]], { conversations: [wireConversation(wire, { unread })], unread });
  state.apply(of(1, message, 1));
  const events = state.apply(wireUpdates([[2, 'read_all', {}]], { unread: 0 }));
  assert.deepEqual(names(events), [EVENT.CONVERSATION_LIST_UPDATED, EVENT.TOTAL_UNREAD_MESSAGE_COUNT_UPDATED]);
  assert.equal(dataOf(events, EVENT.CONVERSATION_LIST_UPDATED)[0].unreadCount, 0);
  state.conversations.put(wireConversation(message, { unread: 1 }), 1);
  assert.equal(state.conversations.conversation('you').unreadCount, 0);
  state.apply(of(3, later, 1));
  assert.equal(state.conversations.conversation('you').unreadCount, 1);
});

test('a message is there, with its conversation and the total, when its event is raised', () => {
  const state = store();
  const message = wireMessage(1, { custom_data: 'c' });
  const events = state.apply(
    wireUpdates([[1, 'message', { message }]], {
      conversations: [wireConversation(message, { unread: 1 })],
      unread: 1,
    }),
  );
  assert.deepEqual(names(events), [
    EVENT.MESSAGE_RECEIVED,
    EVENT.CONVERSATION_LIST_UPDATED,
    EVENT.TOTAL_UNREAD_MESSAGE_COUNT_UPDATED,
  ]);
  const [received] = events[0].data;
  assert.equal(received, state.messages.get(message.msg_id).message);
  assert.deepEqual(
    { ...received, elements: 0, revokerInfo: 0, readReceiptInfo: 0 },
    {
      ID: message.msg_id,
      type: 'TIMTextElem',
      payload: { text: 'text 1' },
      elements: 0,
      conversationID: 'C2Cyou',
      conversationType: 'C2C',
      from: 'you',
      to: 'me',
      flow: 'in',
      time: NOW_S + 1,
      clientTime: NOW_S + 1,
      random: 1,
      sequence: 1,
      status: 'success',
      isRevoked: false,
      revoker: '',
      revokerInfo: 0,
      revokeReason: '',
      isDeleted: false,
      isModified: false,
      isPeerRead: false,
      needReadReceipt: false,
      readReceiptInfo: 0,
      nick: 'You',
      avatar: '',
      cloudCustomData: 'c',
      isSupportExtension: false,
      hasRiskContent: false,
      priority: 'Normal',
      nameCard: '',
      atUserList: [],
      isBroadcastMessage: false,
    },
  );
  const [conversation] = events[1].data;
  assert.equal(conversation.unreadCount, 1);
  assert.equal(conversation.lastMessage.messageForShow, 'text 1');
  assert.equal(conversation.userProfile.nick, 'You');
  assert.equal(events[2].data, 1);
});

test('the same push again changes nothing and tells nothing', () => {
  const state = store();
  const message = wireMessage(1);
  const list = [
    [1, 'message', { message }],
    [2, 'modify', { message }],
    [3, 'recall', { message: tombstone(message) }],
  ];
  const push = wireUpdates(list, { conversations: [wireConversation(tombstone(message))] });
  assert.equal(names(state.apply(push)).includes(EVENT.MESSAGE_REVOKED), true);
  const held = structuredClone(state.conversations.list());
  assert.deepEqual(state.apply(push), []);
  assert.deepEqual(state.apply(wireUpdates([[3, 'recall', { message: tombstone(message) }]])), []);
  assert.deepEqual(structuredClone(state.conversations.list()), held);
});

test('a recall changes the object that is held, then the list, then the total', () => {
  const state = store();
  const message = wireMessage(1);
  const [received] = state.apply(
    wireUpdates([[1, 'message', { message }]], {
      conversations: [wireConversation(message, { unread: 1 })],
      unread: 1,
    }),
  );
  const held = received.data[0];
  const gone = tombstone(message);
  const events = state.apply(
    wireUpdates([[2, 'recall', { message: gone }]], { conversations: [wireConversation(gone)], unread: 0 }),
  );
  assert.deepEqual(names(events), [
    EVENT.MESSAGE_REVOKED,
    EVENT.CONVERSATION_LIST_UPDATED,
    EVENT.TOTAL_UNREAD_MESSAGE_COUNT_UPDATED,
  ]);
  assert.equal(events[0].data[0], held);
  assert.equal(held.isRevoked, true);
  assert.deepEqual([held.payload, held.elements, held.type, held.revoker], [{}, [], 'TIMTextElem', 'you']);
  assert.deepEqual(held.revokerInfo, { userID: 'you', nick: 'You', avatar: '' });
  const [{ lastMessage, unreadCount }] = events[1].data;
  assert.deepEqual([lastMessage.isRevoked, lastMessage.revoker, unreadCount, events[2].data], [true, 'you', 0, 0]);
});

test('the recall of a message that is not held is told with a message of its own', () => {
  const state = store();
  state.apply(wireUpdates([], { number: 4 }));
  const events = state.apply(wireUpdates([[5, 'recall', { message: tombstone(wireMessage(1), 'administrator') }]]));
  const [message] = dataOf(events, EVENT.MESSAGE_REVOKED);
  assert.deepEqual(
    [
      message.ID,
      message.conversationID,
      message.isRevoked,
      message.revoker,
      message.payload,
      message.flow,
      message.time,
    ],
    [`200-${NOW_S + 1}-1`, 'C2Cyou', true, 'administrator', {}, 'in', NOW_S + 1],
  );
});

test('what was recalled before it came is received as a tombstone, and then told as recalled, once', () => {
  const state = store();
  const gone = tombstone(wireMessage(1));
  const events = state.apply(
    wireUpdates(
      [
        [1, 'message', { message: gone }],
        [2, 'recall', { message: gone }],
      ],
      { conversations: [wireConversation(gone)] },
    ),
  );
  assert.deepEqual(names(events), [EVENT.MESSAGE_RECEIVED, EVENT.MESSAGE_REVOKED, EVENT.CONVERSATION_LIST_UPDATED]);
  assert.deepEqual([events[0].data[0].isRevoked, events[0].data[0].payload], [true, {}]);
  assert.equal(events[0].data[0], events[1].data[0]);
});

test('events of one kind that follow each other are one; their order stays', () => {
  const state = store();
  const [one, two, three] = [wireMessage(1), wireMessage(2), wireMessage(3)];
  const events = state.apply(
    wireUpdates([
      [1, 'message', { message: one }],
      [2, 'message', { message: two }],
      [3, 'modify', { message: { ...one, modified: true } }],
      [4, 'message', { message: three }],
    ]),
  );
  const told = events
    .filter(({ name }) => name !== EVENT.CONVERSATION_LIST_UPDATED)
    .map(({ name, data }) => [name, data.length]);
  assert.deepEqual(told, [
    [EVENT.MESSAGE_RECEIVED, 2],
    [EVENT.MESSAGE_MODIFIED, 1],
    [EVENT.MESSAGE_RECEIVED, 1],
  ]);
});

test('the last message keeps up although its conversation comes with a later push', () => {
  const state = store();
  const message = wireMessage(1);
  state.apply(wireUpdates([[1, 'message', { message }]], { conversations: [wireConversation(message)] }));
  const events = state.apply(wireUpdates([[2, 'recall', { message: tombstone(message) }]]));
  assert.equal(dataOf(events, EVENT.CONVERSATION_LIST_UPDATED)[0].lastMessage.isRevoked, true);
});

test('older states of a conversation and of the total are passed over', () => {
  const state = store();
  const [one, two] = [wireMessage(1), wireMessage(2)];
  state.apply(
    wireUpdates([[6, 'message', { message: two }]], {
      conversations: [wireConversation(two, { unread: 2 })],
      unread: 2,
    }),
  );
  const events = state.applyConversations({
    number: 5,
    unread: 1,
    conversations: [wireConversation(one, { unread: 1 })],
  });
  assert.deepEqual(events, []);
  assert.deepEqual([state.total, state.conversations.list()[0].unreadCount], [2, 2]);
  state.applyConversations({ number: 7, unread: 0, conversations: [wireConversation(two, { unread: 0 })] });
  assert.equal(state.total, 0);
});

test('exactly the messages that became read are told, once', () => {
  const state = store();
  const mine = [1, 2, 3].map((position) => wireMessage(position, { from: 'me' }));
  const theirs = wireMessage(4);
  const list = [...mine, theirs].map((message, index) => [index + 1, 'message', { message }]);
  state.apply(wireUpdates(list, { conversations: [wireConversation(theirs)] }));
  const read = (number, position) =>
    state.apply(
      wireUpdates([[number, 'read_by_peer', { peer: 'you', time_s: NOW_S }]], {
        conversations: [wireConversation(theirs, { peer_read_position: position })],
      }),
    );
  const ids = (events) => (dataOf(events, EVENT.MESSAGE_READ_BY_PEER) ?? []).map(({ ID }) => ID);
  assert.deepEqual(ids(read(5, 2)), [mine[0].msg_id, mine[1].msg_id]);
  assert.deepEqual(
    mine.map(({ msg_id }) => state.messages.get(msg_id).message.isPeerRead),
    [true, true, false],
  );
  assert.deepEqual(ids(read(6, 4)), [mine[2].msg_id]);
  assert.deepEqual(ids(read(7, 4)), []);
  assert.equal(state.messages.get(theirs.msg_id).message.isPeerRead, false);
});

test('a receipt is told to the sender alone', () => {
  const state = store();
  const [mine, theirs] = [wireMessage(1, { from: 'me', needs_receipt: true }), wireMessage(2, { needs_receipt: true })];
  state.apply(
    wireUpdates([
      [1, 'message', { message: mine }],
      [2, 'message', { message: theirs }],
    ]),
  );
  const events = state.apply(
    wireUpdates([
      [3, 'receipt', { message: { ...mine, has_receipt: true } }],
      [4, 'receipt', { message: { ...theirs, has_receipt: true } }],
    ]),
  );
  const told = dataOf(events, EVENT.MESSAGE_READ_RECEIPT_RECEIVED);
  assert.deepEqual(told, [
    { userID: 'you', messageID: mine.msg_id, isPeerRead: true, groupID: '', readCount: 0, unreadCount: 0 },
  ]);
  assert.deepEqual(state.messages.get(mine.msg_id).message.readReceiptInfo, { isPeerRead: true, timestamp: NOW_S });
});

test('an answer that was on its way while an update came does not undo it', () => {
  const state = store();
  const message = wireMessage(1);
  const { message: held } = state.put(message, { asOf: 0 });
  const asOf = state.number ?? 0;
  const changed = { ...message, body: [{ MsgType: 'TIMTextElem', MsgContent: { Text: 'new' } }], modified: true };
  state.apply(wireUpdates([[1, 'modify', { message: changed }]]));
  state.put(message, { asOf });
  assert.equal(held.payload.text, 'new');
  state.apply(wireUpdates([[2, 'recall', { message: tombstone(changed) }]]));
  state.put(changed, { asOf: 2 });
  assert.deepEqual([held.isRevoked, held.payload], [true, {}]);
});

test('a deleted message is marked and let go; a deleted conversation leaves the list', () => {
  const state = store();
  const message = wireMessage(1);
  const events = state.apply(
    wireUpdates([[1, 'message', { message }]], {
      conversations: [wireConversation(message, { unread: 1 })],
      unread: 1,
    }),
  );
  const held = events[0].data[0];
  state.apply(
    wireUpdates([[2, 'delete', { peer: 'you', from: 'you', to: 'me', msg_key: message.msg_key }]], {
      conversations: [wireConversation(undefined)],
    }),
  );
  assert.deepEqual([held.isDeleted, state.messages.get(held.ID)], [true, undefined]);
  state.apply(
    wireUpdates([[3, 'message', { message: wireMessage(2) }]], { conversations: [wireConversation(wireMessage(2))] }),
  );
  assert.equal(state.conversations.list().length, 1);
  const gone = state.apply(
    wireUpdates([[4, 'delete_conversation', { peer: 'you' }]], { conversations: [wireConversation(undefined)] }),
  );
  assert.deepEqual(dataOf(gone, EVENT.CONVERSATION_LIST_UPDATED), []);
});

test('an update of a kind that is not known yet changes nothing', () => {
  const state = store();
  assert.deepEqual(state.apply(wireUpdates([[1, 'later_invention', { peer: 'you' }]])), []);
  assert.equal(state.number, 1);
});

test('no more messages are held than may be', () => {
  const state = store(3);
  const list = [1, 2, 3, 4].map((position) => [position, 'message', { message: wireMessage(position) }]);
  state.apply(wireUpdates(list));
  assert.deepEqual(
    state.messages.all().map(({ wire }) => wire.position),
    [2, 3, 4],
  );
});

test('an answer stands behind what it answers, also within one second', () => {
  const { messages } = store();
  const now_ms = NOW_S * 1000 + 700;
  const first = messages.nextSeq(now_ms);
  assert.ok(messages.nextSeq(now_ms) > first);
  const seen = wireMessage(0, { msg_key: `${first + 5_000}_1_${NOW_S}` });
  messages.put(seen, { self: 'me', person: () => ({ nick: '', face_url: '' }) });
  assert.equal(messages.nextSeq(now_ms), first + 5_001);
  assert.ok(messages.nextSeq(now_ms + 1_000) < first + 5_000, 'a second later the clock counts again');
  messages.put(
    { ...seen, msg_id: 'x', msg_key: `${2 ** 32 - 1}_1_${NOW_S + 1}` },
    { self: 'me', person: () => ({ nick: '', face_url: '' }) },
  );
  assert.ok(messages.nextSeq(now_ms + 1_000) < 2 ** 32, 'it fits into 32 bits');
});

test('what another device has cleared is let go, and what came later stays', () => {
  const state = store();
  const messages = [1, 2, 3].map((number) => wireMessage(number));
  const updates = messages.map((message, index) => [index + 1, 'message', { message }]);
  state.apply(wireUpdates(updates, { conversations: [wireConversation(messages[2], { unread: 3 })], unread: 3 }));
  const [first, , third] = messages.map((message) => state.messages.get(message.msg_id).message);
  const cleared_position = messages[1].position;
  state.apply(
    wireUpdates([[4, 'delete_conversation', { peer: 'you' }]], {
      conversations: [wireConversation(undefined, { cleared_position })],
    }),
  );
  assert.deepEqual([first.isDeleted, third.isDeleted], [true, false]);
  assert.equal(state.messages.get(first.ID), undefined);
  assert.equal(state.messages.get(third.ID).message, third);
});
