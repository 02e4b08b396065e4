// Logging in, losing the connection and coming back, being kicked: against a gateway and a clock without I/O.

import assert from 'node:assert/strict';
import test from 'node:test';
import UnsaidChat, { Chat, EVENT, TYPES } from '../src/index.js';
import {
  DoubleClock,
  DoubleGateway,
  listen,
  loggedIn,
  NOW_S,
  settled,
  tombstone,
  wireConversation,
  wireMessage,
  wireUpdates,
} from './support/double.js';

const FAILS = { code: 2800 };

function text(chat, content) {
  return chat.createTextMessage({ to: 'you', conversationType: TYPES.CONV_C2C, payload: { text: content } });
}

/** Breaks the connection, and waits until there is another one. */
async function breakAndReturn({ gateway, clock }, meanwhile = () => {}) {
  gateway.break();
  await meanwhile();
  await clock.pass(2_000);
}

/** From now on logins with a cursor go on behind it. */
function resumes(gateway) {
  const first = gateway.answers.login;
  gateway.answers.login = (data) => ({
    ...first(data),
    reload: data.cursor === undefined,
    cursor: data.cursor ?? 'e-0-0',
  });
}

test('login resolves when conversations are there and SDK_READY was raised', async () => {
  const message = wireMessage(1);
  const pages = {
    first: { number: 3, unread: 2, conversations: [wireConversation(message, { unread: 1 })], next: 'p2' },
  };
  pages.p2 = { number: 3, unread: 2, conversations: [wireConversation(wireMessage(0), { peer: 'she', unread: 1 })] };
  const { chat, events, gateway } = await loggedIn((double) => {
    double.answers.conversations = ({ after = 'first' }) => pages[after];
  });
  assert.deepEqual(events.names(), [
    EVENT.NET_STATE_CHANGE,
    EVENT.NET_STATE_CHANGE,
    EVENT.SDK_READY,
    EVENT.CONVERSATION_LIST_UPDATED,
    EVENT.TOTAL_UNREAD_MESSAGE_COUNT_UPDATED,
  ]);
  assert.equal(chat.isReady(), true);
  assert.equal(chat.getLoginUser(), 'me');
  assert.equal(chat.getServerTime(), NOW_S);
  assert.equal(chat.getTotalUnreadMessageCount(), 2);
  const { data } = await chat.getConversationList();
  assert.deepEqual(
    data.conversationList.map(({ conversationID }) => conversationID),
    ['C2Cyou', 'C2Cshe'],
  );
  assert.deepEqual(gateway.named('login')[0].data, { sdkappid: 1, user_id: 'me', user_sig: 'sig', platform: 'Web' });
});

test('what is pushed while the list is loaded is told afterwards, once', async () => {
  const message = wireMessage(1);
  const { events, gateway } = await loggedIn((double) => {
    double.answers.conversations = () => {
      double.push(
        'updates',
        wireUpdates([[7, 'message', { message }]], { conversations: [wireConversation(message)], unread: 1 }),
      );
      return { number: 8, unread: 0, conversations: [wireConversation(message)] };
    };
  });
  assert.equal(events.of(EVENT.MESSAGE_RECEIVED).length, 1);
  assert.ok(events.names().indexOf(EVENT.SDK_READY) < events.names().indexOf(EVENT.MESSAGE_RECEIVED));
  assert.equal(gateway.named('conversations').length, 1);
});

test('a second login: of the same user it is nothing, of another or at the same time it is refused', async () => {
  const { chat } = await loggedIn();
  const { data } = await chat.login({ userID: 'me', userSig: 'sig' });
  assert.equal(data.repeatLogin, true);
  await assert.rejects(chat.login({ userID: 'you', userSig: 'sig' }), { code: 2025 });
  await chat.logout();
  const first = chat.login({ userID: 'me', userSig: 'sig' });
  await assert.rejects(chat.login({ userID: 'me', userSig: 'sig' }), { code: 2025 });
  assert.equal((await first).code, 0);
});

test('a login that fails says why, and can be tried again', async () => {
  const [gateway, clock] = [new DoubleGateway(), new DoubleClock()];
  const chat = new Chat({ SDKAppID: 1, server: 'ws://double', WebSocket: gateway.WebSocket }, clock);
  gateway.isUp = false;
  await assert.rejects(chat.login({ userID: 'me', userSig: 'sig' }), { code: 2800, message: /ws:\/\/double\/ws/ });
  gateway.isUp = true;
  const works = gateway.answers.login;
  gateway.answers.login = () => ({ code: 70013, info: 'the UserSig is of another account' });
  await assert.rejects(chat.login({ userID: 'me', userSig: 'sig' }), {
    code: 70013,
    message: 'the UserSig is of another account',
  });
  gateway.answers.login = null;
  const late = assert.rejects(chat.login({ userID: 'me', userSig: 'sig' }), { code: 2801 });
  await clock.pass(15_000);
  await late;
  assert.equal(chat.isReady(), false);
  gateway.answers.login = works;
  await chat.login({ userID: 'me', userSig: 'sig' });
  assert.equal(gateway.sockets.length, 4);
});

test('calls before a login, and during one, say so', async () => {
  const [gateway, clock] = [new DoubleGateway(), new DoubleClock()];
  const chat = new Chat({ SDKAppID: 1, server: 'ws://double', WebSocket: gateway.WebSocket }, clock);
  await assert.rejects(chat.getConversationList(), { code: 2024 });
  await assert.rejects(chat.setMessageRead({ conversationID: 'C2Cyou' }), { code: 2024 });
  assert.throws(() => text(chat, 'hi'), { code: 2024 });
  gateway.answers.conversations = null;
  chat.login({ userID: 'me', userSig: 'sig' }).catch(() => {});
  await settled();
  await assert.rejects(chat.getMessageList({ conversationID: 'C2Cyou' }), { code: 2999 });
});

test('the same SDKAppID is the same instance until it is destroyed', async () => {
  const options = { SDKAppID: 1400000009, server: 'ws://double', WebSocket: new DoubleGateway().WebSocket };
  const first = UnsaidChat.create(options);
  assert.equal(UnsaidChat.create({ SDKAppID: 1400000009 }), first);
  await first.destroy();
  const second = UnsaidChat.create(options);
  assert.notEqual(second, first);
  await second.destroy();
  assert.throws(() => UnsaidChat.create({ SDKAppID: 1400000009 }), { code: 20001, message: /server is missing/ });
});

test('an instance comes back by itself with session and cursor, and tells what it missed, nothing twice', async () => {
  const all = await loggedIn(resumes);
  const { gateway, events } = all;
  const [one, two] = [wireMessage(1), wireMessage(2)];
  const first = wireUpdates([[1, 'message', { message: one }]], {
    conversations: [wireConversation(one, { unread: 1 })],
    unread: 1,
  });
  gateway.push('updates', first);
  events.length = 0;
  await breakAndReturn(all, () => settled());
  assert.deepEqual(gateway.named('login')[1].data, {
    sdkappid: 1,
    user_id: 'me',
    user_sig: 'sig',
    platform: 'Web',
    session: 's_1',
    cursor: 'e-0-1',
  });
  const gone = tombstone(one);
  gateway.push('updates', first);
  gateway.push(
    'updates',
    wireUpdates(
      [
        [2, 'recall', { message: gone }],
        [3, 'message', { message: two }],
      ],
      { conversations: [wireConversation(two, { unread: 1 })], unread: 1 },
    ),
  );
  assert.deepEqual(
    events.filter(({ name }) => name !== EVENT.NET_STATE_CHANGE).map(({ name, data }) => [name, data.length]),
    [
      [EVENT.MESSAGE_REVOKED, 1],
      [EVENT.MESSAGE_RECEIVED, 1],
      [EVENT.CONVERSATION_LIST_UPDATED, 1],
    ],
  );
  assert.deepEqual(
    events.of(EVENT.NET_STATE_CHANGE).map(({ data }) => data.state),
    ['disconnected', 'connecting', 'connected'],
  );
  assert.equal(gateway.named('conversations').length, 1, 'nothing is loaded anew');
});

test('what is pushed right behind the answer to a login is not lost', async () => {
  const all = await loggedIn(resumes);
  const { gateway, events } = all;
  gateway.answers.login = null;
  await breakAndReturn(all);
  // As when both frames come in one packet: nothing runs between them.
  const login = {
    session: 's_2',
    account_number: '100',
    cursor: 'e-0-0',
    reload: false,
    unread: 0,
    time_ms: NOW_S * 1000,
    recall_window_s: 120,
    nick: '',
    face_url: '',
  };
  gateway.answer(gateway.named('login')[1], login);
  gateway.push('updates', wireUpdates([[1, 'message', { message: wireMessage(1) }]]));
  await settled();
  assert.equal(events.of(EVENT.MESSAGE_RECEIVED).length, 1);
});

test('attempts go on with growing pauses while the server is away', async () => {
  const { gateway, clock, chat } = await loggedIn(resumes);
  gateway.isUp = false;
  gateway.break();
  await clock.pass(120_000);
  const attempts = gateway.sockets.length - 1;
  assert.ok(attempts >= 7 && attempts <= 10, `${attempts} attempts in two minutes`);
  assert.equal(chat.isReady(), true);
  gateway.isUp = true;
  await clock.pass(30_000);
  await chat.getMessageList({ conversationID: 'C2Cyou' });
});

test('a send while there is no connection fails, and resending keeps its identity', async () => {
  const all = await loggedIn(resumes);
  const { chat, gateway } = all;
  gateway.break();
  const message = text(chat, 'hi');
  assert.equal(message.status, 'unSend');
  await assert.rejects(chat.sendMessage(message), (error) => error.code === 2800 && error.data.message === message);
  assert.equal(message.status, 'fail');
  await assert.rejects(chat.revokeMessage({ ID: '1-2-3', conversationID: 'C2Cyou' }), FAILS);
  await all.clock.pass(2_000);
  gateway.answers.send = ({ seq, random, client_time_s }) => ({
    msg_key: `${seq}_${random}_${NOW_S + 9}`,
    msg_id: `100-${client_time_s}-${random}`,
    time_s: NOW_S + 9,
  });
  const seq = message.sequence;
  const { data } = await chat.resendMessage(message);
  assert.deepEqual([data.message === message, message.sequence], [true, seq]);
  assert.deepEqual([message.status, message.time], ['success', NOW_S + 9]);
  const [{ data: sent }] = gateway.named('send');
  assert.deepEqual(sent, {
    to: 'you',
    seq: message.sequence,
    random: message.random,
    client_time_s: message.clientTime,
    body: [{ MsgType: 'TIMTextElem', MsgContent: { Text: 'hi' } }],
  });
  await chat.resendMessage(message);
  assert.equal(gateway.named('send').length, 1, 'what has arrived is not sent again');
  await assert.rejects(chat.sendMessage(message), { code: 20001 });
});

test('a send that was under way when the connection broke is repeated as it was; its own push raises nothing', async () => {
  const all = await loggedIn(resumes);
  const { chat, gateway, events } = all;
  for (const request of ['send', 'read', 'delete_conversation']) gateway.answers[request] = null;
  const message = text(chat, 'hi');
  const sent = chat.sendMessage(message);
  // It would mark, too, what has come meanwhile and nobody has seen.
  const read = assert.rejects(chat.setMessageRead({ conversationID: 'C2Cyou' }), { code: 2800 });
  const deleted = assert.rejects(chat.deleteConversation('C2Cyou'), { code: 2800, message: /not known whether/ });
  await settled();
  await breakAndReturn(all);
  await Promise.all([read, deleted]);
  assert.equal(gateway.named('read').length, 1, 'it is not repeated');
  const [first, second] = gateway.named('send');
  assert.deepEqual(second, first);
  const { seq, random } = first.data;
  const wire = wireMessage(5, {
    from: 'me',
    msg_id: message.ID,
    msg_key: `${seq}_${random}_${NOW_S}`,
    client_time_s: message.clientTime,
  });
  gateway.push(
    'updates',
    wireUpdates([[1, 'message', { message: wire }]], { conversations: [wireConversation(wire)] }),
  );
  gateway.answer(second, { msg_key: wire.msg_key, msg_id: message.ID, time_s: NOW_S });
  assert.equal((await sent).data.message, message);
  assert.equal(message.status, 'success');
  assert.deepEqual(events.of(EVENT.MESSAGE_RECEIVED), []);
});

test('options of sendMessage', async () => {
  const { chat, gateway } = await loggedIn();
  gateway.answers.send = ({ seq, random, client_time_s }) => ({
    msg_key: `${seq}_${random}_${NOW_S}`,
    msg_id: `100-${client_time_s}-${random}`,
    time_s: NOW_S,
  });
  const message = text(chat, 'hi');
  await assert.rejects(chat.sendMessage(message, { onlineUserOnly: true, messageControlInfo: {} }), { code: 20001 });
  await chat.sendMessage(message, {
    onlineUserOnly: true,
    offlinePushInfo: { disablePush: true, title: 't', description: 'd', extension: 'e' },
  });
  await chat.sendMessage(text(chat, 'ho'), {
    messageControlInfo: { excludedFromUnreadCount: true, excludedFromLastMessage: true },
  });
  const receipt = chat.createTextMessage({
    to: 'you',
    payload: { text: 'r' },
    needReadReceipt: true,
    cloudCustomData: 'c',
  });
  await chat.sendMessage(receipt);
  const [online, silent, wanted] = gateway.named('send').map(({ data }) => data);
  assert.deepEqual([online.online_only, online.push_info], [true, { PushFlag: 1, Title: 't', Desc: 'd', Ext: 'e' }]);
  assert.deepEqual([silent.no_unread, silent.no_last, silent.online_only], [true, true, undefined]);
  assert.deepEqual([wanted.needs_receipt, wanted.custom_data], [true, 'c']);
  const { data } = await chat.getConversationList();
  assert.equal(
    data.conversationList[0].lastMessage.messageForShow,
    'r',
    'neither of the others became the last message',
  );
});

test('a message longer than a frame is refused before it costs the connection', async () => {
  const { chat, gateway } = await loggedIn();
  await assert.rejects(chat.sendMessage(text(chat, 'x'.repeat(70_000))), { code: 80002 });
  assert.equal(gateway.named('send').length, 0);
});

test('a recall whose answer was lost counts if its repeat finds it done; nobody is told twice', async () => {
  const all = await loggedIn(resumes);
  const { chat, gateway, events } = all;
  const mine = wireMessage(1, { from: 'me' });
  gateway.push(
    'updates',
    wireUpdates([[1, 'message', { message: mine }]], { conversations: [wireConversation(mine)] }),
  );
  const [message] = events.of(EVENT.MESSAGE_RECEIVED)[0].live;
  gateway.answers.recall = null;
  const recalled = chat.revokeMessage(message);
  await settled();
  gateway.answers.recall = () => ({ code: 20023, info: 'recalled before' });
  events.length = 0;
  await breakAndReturn(all);
  assert.equal((await recalled).data.message, message);
  assert.equal(message.isRevoked, true);
  gateway.push(
    'updates',
    wireUpdates([[2, 'recall', { message: tombstone(mine) }]], { conversations: [wireConversation(tombstone(mine))] }),
  );
  assert.deepEqual(events.of(EVENT.MESSAGE_REVOKED), []);
  assert.equal(events.of(EVENT.CONVERSATION_LIST_UPDATED).length, 1);
  await assert.rejects(chat.revokeMessage(message), { code: 20023 });
});

test('the push of a recall may come before its answer: the instance that did it is not told', async () => {
  const { chat, gateway, events } = await loggedIn();
  const mine = wireMessage(1, { from: 'me' });
  gateway.push('updates', wireUpdates([[1, 'message', { message: mine }]]));
  gateway.answers.recall = () => {
    gateway.push('updates', wireUpdates([[2, 'recall', { message: tombstone(mine) }]]));
    return {};
  };
  const { data } = await chat.revokeMessage({ ID: mine.msg_id, conversationID: 'C2Cyou' });
  assert.equal(data.message.isRevoked, true);
  assert.deepEqual(events.of(EVENT.MESSAGE_REVOKED), []);
});

test('a recall that somebody else was quicker with is told, and refused', async () => {
  const { chat, gateway, events } = await loggedIn();
  const mine = wireMessage(1, { from: 'me' });
  gateway.push('updates', wireUpdates([[1, 'message', { message: mine }]]));
  gateway.answers.recall = () => {
    gateway.push('updates', wireUpdates([[2, 'recall', { message: tombstone(mine, 'administrator') }]]));
    return { code: 20023, info: 'recalled before' };
  };
  await assert.rejects(chat.revokeMessage({ ID: mine.msg_id, conversationID: 'C2Cyou' }), { code: 20023 });
  assert.deepEqual(
    events.of(EVENT.MESSAGE_REVOKED).map(({ data }) => data[0].revoker),
    ['administrator'],
  );
});

test('a kick ends it all: KICKED_OUT, SDK_NOT_READY, and no way back by itself', async () => {
  const { chat, gateway, clock, events } = await loggedIn();
  gateway.answers.history = null;
  const asked = assert.rejects(chat.getMessageList({ conversationID: 'C2Cyou' }), { code: 2024 });
  events.length = 0;
  gateway.push('kicked', { reason: 'other_login' });
  gateway.break(4003);
  await asked;
  await clock.pass(120_000);
  assert.deepEqual(events.names(), [EVENT.NET_STATE_CHANGE, EVENT.KICKED_OUT, EVENT.SDK_NOT_READY]);
  assert.deepEqual(events[1].data, { type: TYPES.KICKED_OUT_MULT_ACCOUNT, reason: 'other_login' });
  assert.deepEqual([chat.isReady(), chat.getLoginUser(), gateway.sockets.length], [false, '', 1]);
});

test('a connection that is closed after a kick is one, also if the push got lost', async () => {
  const { gateway, clock, events } = await loggedIn(resumes);
  gateway.break(4003);
  await clock.pass(60_000);
  assert.deepEqual(
    [events.at(-2).name, events.at(-1).name, gateway.sockets.length],
    [EVENT.KICKED_OUT, EVENT.SDK_NOT_READY, 1],
  );
});

test('a UserSig that expired meanwhile, or another refusal, ends the login', async () => {
  const check = async (code, name, data) => {
    const all = await loggedIn();
    all.gateway.answers.login = () => ({ code, info: 'no' });
    await breakAndReturn(all, () => (all.events.length = 0));
    await all.clock.pass(60_000);
    assert.deepEqual(
      all.events.slice(-2).map((event) => event.name),
      [name, EVENT.SDK_NOT_READY],
    );
    assert.deepEqual(all.events.at(-2).data, data);
    assert.equal(all.gateway.sockets.length, 2);
  };
  await check(70001, EVENT.KICKED_OUT, { type: TYPES.KICKED_OUT_USERSIG_EXPIRED, reason: 'user_sig_expired' });
  await check(6208, EVENT.KICKED_OUT, { type: TYPES.KICKED_OUT_MULT_ACCOUNT, reason: 'other_login' });
  await check(60016, EVENT.ERROR, { code: 60016, message: 'no' });
});

test('a server that is busy at a login after a break is asked again', async () => {
  const all = await loggedIn(resumes);
  const works = all.gateway.answers.login;
  all.gateway.answers.login = () => ({ code: 20005, info: 'later' });
  await breakAndReturn(all);
  all.gateway.answers.login = works;
  await all.clock.pass(10_000);
  assert.equal(all.events.of(EVENT.NET_STATE_CHANGE).at(-1).data.state, 'connected');
});

test('a quiet server is asked for a sign of life, and given up without one', async () => {
  const { gateway, clock } = await loggedIn(resumes);
  await clock.pass(24_000);
  assert.equal(gateway.named('heartbeat').length, 0);
  await clock.pass(2_000);
  assert.equal(gateway.named('heartbeat').length, 1);
  await clock.pass(25_000);
  assert.equal(gateway.sockets.length, 1, 'its answer was enough');
  gateway.answers.heartbeat = null;
  await clock.pass(40_000);
  assert.equal(gateway.sockets.length, 2);
});

test('a burst of calls stays below the bound of the gateway, and all are answered', async () => {
  const { chat, gateway, clock } = await loggedIn();
  const calls = Array.from({ length: 200 }, () => chat.getBlacklist());
  gateway.answers.blocklist = () => ({ users: [] });
  await settled();
  const atOnce = gateway.named('blocklist').length;
  await clock.pass(1_000);
  const after1s = gateway.named('blocklist').length;
  await clock.pass(10_000);
  await Promise.all(calls);
  assert.ok(atOnce <= 100 && after1s <= 150, `${atOnce}, then ${after1s}`);
});

test('logout ends the login, keeps listeners, and lets somebody else in', async () => {
  const { chat, gateway, events, clock } = await loggedIn();
  gateway.push('updates', wireUpdates([[1, 'message', { message: wireMessage(1) }]], { unread: 1 }));
  events.length = 0;
  assert.deepEqual(await chat.logout(), { code: 0, data: {} });
  gateway.break(4004);
  await clock.pass(60_000);
  assert.deepEqual(events.names(), [EVENT.NET_STATE_CHANGE, EVENT.SDK_NOT_READY]);
  assert.deepEqual([chat.getTotalUnreadMessageCount(), chat.findMessage(wireMessage(1).msg_id)], [0, null]);
  await chat.login({ userID: 'you', userSig: 'sig' });
  assert.deepEqual([chat.getLoginUser(), events.of(EVENT.SDK_READY).length], ['you', 1]);
  assert.deepEqual(await chat.logout(), { code: 0, data: {} });
  assert.deepEqual(await chat.logout(), { code: 0, data: {} });
});

test('a listener that throws stops neither the others nor the SDK', async () => {
  const { chat, gateway } = await loggedIn();
  const heard = [];
  chat.on(EVENT.MESSAGE_RECEIVED, () => {
    throw new Error('mine');
  });
  chat.on(
    EVENT.MESSAGE_RECEIVED,
    function (event) {
      heard.push([this.who, event.name, event.data.length]);
    },
    { who: 'context' },
  );
  const gone = () => heard.push('gone');
  chat.on(EVENT.MESSAGE_RECEIVED, gone);
  chat.off(EVENT.MESSAGE_RECEIVED, gone);
  chat.once(EVENT.MESSAGE_RECEIVED, () => heard.push('once'));
  for (const number of [1, 2])
    gateway.push('updates', wireUpdates([[number, 'message', { message: wireMessage(number) }]]));
  assert.deepEqual(heard, [['context', EVENT.MESSAGE_RECEIVED, 1], 'once', ['context', EVENT.MESSAGE_RECEIVED, 1]]);
  assert.throws(() => chat.on('typo', () => {}), { code: 20001 });
});

test('after a reload the state is rebuilt, and what changed is told', async () => {
  const [kept, taken, changed, gone] = [wireMessage(1), wireMessage(2), wireMessage(3), wireMessage(4)];
  const mine = wireMessage(5, { from: 'me' });
  const all = await loggedIn();
  const { chat, gateway, events, clock } = all;
  await clock.pass(20_000);
  const others = wireMessage(6, { from: 'she', msg_id: '300-1-6' });
  const list = [kept, taken, changed, gone, mine, others].map((message, index) => [index + 1, 'message', { message }]);
  gateway.push('updates', wireUpdates(list, { conversations: [wireConversation(mine, { unread: 4 })], unread: 4 }));
  const held = new Map(
    [kept, taken, changed, gone, mine, others].map(({ msg_id }) => [msg_id, chat.findMessage(msg_id)]),
  );
  events.length = 0;
  const fresh = wireMessage(30);
  const freshGone = tombstone(wireMessage(31));
  const anew = { ...changed, body: [{ MsgType: 'TIMTextElem', MsgContent: { Text: 'anew' } }], modified: true };
  // Of a time when everything was told: this account has let it go, and it is not new.
  const old = wireMessage(10);
  const messages = [kept, tombstone(taken), anew, mine, old, fresh, freshGone];
  gateway.answers.history = ({ peer }) => ({ messages: peer === 'you' ? messages : [], complete: true });
  gateway.answers.conversations = () => ({
    number: 90,
    unread: 3,
    conversations: [wireConversation(freshGone, { unread: 3, peer_read_position: 5 })],
  });
  await breakAndReturn(all);
  assert.deepEqual(
    events
      .filter(({ name }) => name !== EVENT.NET_STATE_CHANGE)
      .map(({ name, data }) => [name, data.map?.((one) => one.ID ?? one.conversationID) ?? data]),
    [
      [EVENT.MESSAGE_REVOKED, [taken.msg_id]],
      [EVENT.MESSAGE_MODIFIED, [changed.msg_id]],
      [EVENT.MESSAGE_RECEIVED, [fresh.msg_id, freshGone.msg_id]],
      [EVENT.MESSAGE_REVOKED, [freshGone.msg_id]],
      [EVENT.MESSAGE_READ_BY_PEER, [mine.msg_id]],
      [EVENT.CONVERSATION_LIST_UPDATED, ['C2Cyou']],
      [EVENT.TOTAL_UNREAD_MESSAGE_COUNT_UPDATED, 3],
    ],
  );
  assert.equal(held.get(taken.msg_id).isRevoked, true);
  assert.equal(held.get(changed.msg_id).payload.text, 'anew');
  assert.equal(held.get(gone.msg_id).isDeleted, true);
  assert.equal(held.get(others.msg_id).isDeleted, true, 'nothing is left of that conversation');
  assert.equal(chat.findMessage(gone.msg_id), null);
  assert.equal(chat.findMessage(kept.msg_id), held.get(kept.msg_id));
  // Numbers begin anew with the epoch.
  gateway.push('updates', wireUpdates([[1, 'message', { message: wireMessage(40) }]], { unread: 9 }));
  assert.equal(events.of(EVENT.MESSAGE_RECEIVED).length, 2);
});

test('a break while the state is rebuilt leads to another rebuilding, not to a gap', async () => {
  const all = await loggedIn();
  const { gateway, clock } = all;
  gateway.answers.conversations = null;
  await breakAndReturn(all);
  gateway.push('updates', wireUpdates([[5, 'message', { message: wireMessage(5) }]]));
  await breakAndReturn(all, () => clock.pass(1));
  const logins = gateway.named('login');
  assert.equal(logins.at(-1).data.cursor, undefined);
  assert.equal(logins.at(-1).data.session, 's_1');
});

test('a frame that cannot be applied is not passed over', async () => {
  const all = await loggedIn(resumes);
  const { gateway, events } = all;
  gateway.push('updates', { ...wireUpdates([[1, 'message', { message: { msg_id: 'broken' } }]]) });
  await all.clock.pass(2_000);
  assert.deepEqual([gateway.sockets.length, gateway.named('login')[1].data.cursor], [2, 'e-0-0']);
  gateway.push('updates', wireUpdates([[1, 'message', { message: wireMessage(1) }]]));
  assert.equal(events.of(EVENT.MESSAGE_RECEIVED).length, 1);
});

test('when the browser says that the network is back, nobody waits any longer', async (t) => {
  let back;
  globalThis.addEventListener = (name, handler) => (back = name === 'online' && handler);
  t.after(() => delete globalThis.addEventListener);
  const { gateway } = await loggedIn(resumes);
  back();
  assert.equal(gateway.sockets.length, 1);
  gateway.break();
  back();
  assert.equal(gateway.sockets.length, 2);
});

test('pages of history are asked for one behind the other', async () => {
  const { chat, gateway } = await loggedIn();
  const pages = {
    first: { messages: [wireMessage(3)], complete: false },
    [wireMessage(3).msg_key]: { messages: [wireMessage(2)], complete: true },
  };
  gateway.answers.history = ({ before = 'first' }) => pages[before];
  const first = (await chat.getMessageList({ conversationID: 'C2Cyou' })).data;
  const second = (
    await chat.getMessageList({ conversationID: 'C2Cyou', nextReqMessageID: first.nextReqMessageID, count: 99 })
  ).data;
  const byID = (await chat.getMessageList({ conversationID: 'C2Cyou', nextReqMessageID: first.messageList[0].ID }))
    .data;
  assert.deepEqual([first.isCompleted, second.isCompleted, second.nextReqMessageID], [false, true, '']);
  assert.equal(byID.messageList[0], second.messageList[0]);
  assert.deepEqual(
    gateway.named('history').map(({ data }) => data.count),
    [15, 15, 15],
  );
});

test('a conversation is read when setMessageRead resolves, whether its push was first or not', async () => {
  for (const isPushFirst of [true, false]) {
    const last = wireMessage(1);
    const { chat, gateway, events } = await loggedIn((double) => {
      double.answers.conversations = () => ({
        number: 1,
        unread: 3,
        conversations: [wireConversation(last, { unread: 2 })],
      });
    });
    const next = wireMessage(2);
    gateway.answers.read = () => {
      // Read, and then something new.
      if (isPushFirst)
        gateway.push(
          'updates',
          wireUpdates(
            [
              [2, 'read', { peer: 'you', time_s: NOW_S }],
              [3, 'message', { message: next }],
            ],
            { conversations: [wireConversation(next, { unread: 1 })], unread: 2 },
          ),
        );
      return {};
    };
    events.length = 0;
    await chat.setMessageRead({ conversationID: 'C2Cyou' });
    const [{ unreadCount }] = (await chat.getConversationList()).data.conversationList;
    assert.deepEqual([unreadCount, chat.getTotalUnreadMessageCount()], isPushFirst ? [1, 2] : [0, 1]);
    assert.equal(events.of(EVENT.TOTAL_UNREAD_MESSAGE_COUNT_UPDATED).length, 1);
  }
});

test('a message that was never sent can be deleted, and is not known then', async () => {
  const { chat, gateway } = await loggedIn();
  const message = text(chat, 'hi');
  gateway.answers.send = () => ({ code: 20007, info: 'blocked' });
  await assert.rejects(chat.sendMessage(message), { code: 20007 });
  await assert.rejects(chat.revokeMessage(message), { code: 2110 });
  await chat.deleteMessage([message]);
  assert.deepEqual(
    [message.isDeleted, chat.findMessage(message.ID), gateway.named('delete_messages').length],
    [true, null, 0],
  );
});

test('methods work when they are handed on, and through a proxy', async () => {
  const { chat } = await loggedIn();
  const { getLoginUser } = new Proxy(chat, {});
  assert.equal(getLoginUser(), 'me');
  assert.equal(new Proxy(chat, {}).isReady(), true);
});
