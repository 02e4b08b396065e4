// The SDK against the real server: two people, several devices, an app backend.

import assert from 'node:assert/strict';
import test from 'node:test';
import { EVENT, TYPES } from '../src/index.js';
import { Device, Server, userSig, withServer } from './support/server.js';

const SENT_BY_REST = { SyncOtherMachine: 1, MsgRandom: 77, MsgSeq: 7 };

function restText(From_Account, To_Account, Text) {
  return { ...SENT_BY_REST, From_Account, To_Account, MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text } }] };
}

async function pair(t, settings) {
  const server = await Server.start(t, settings);
  const jared = await Device.login(t, server, 'jared');
  const jonh = await Device.login(t, server, 'Jonh');
  return { server, jared, jonh };
}

test('two people chat, and both hold the same', withServer, async (t) => {
  const { jared, jonh } = await pair(t);
  const sent = await jared.say('Jonh', 'lunch at noon?', { cloudCustomData: '{"mood":"hungry"}' });
  assert.deepEqual([sent.status, sent.flow, sent.conversationID], ['success', 'out', 'C2CJonh']);
  const got = await jonh.received('lunch at noon?');
  assert.deepEqual([got.ID, got.time, got.flow, got.conversationID], [sent.ID, sent.time, 'in', 'C2Cjared']);
  assert.equal(got.cloudCustomData, '{"mood":"hungry"}');
  assert.equal(jonh.chat.findMessage(sent.ID), got);
  await jonh.say('jared', 'yes');
  await jared.received('yes');
  assert.deepEqual(
    jared.messages(EVENT.MESSAGE_RECEIVED).map(({ payload }) => payload.text),
    ['yes'],
    'never what it sent itself',
  );
  const { data } = await jared.chat.getConversationList();
  assert.deepEqual(
    data.conversationList.map(({ conversationID, lastMessage }) => [conversationID, lastMessage.messageForShow]),
    [['C2CJonh', 'yes']],
  );
});

test('all kinds of messages arrive as they were made', withServer, async (t) => {
  const { jared, jonh } = await pair(t);
  const { chat } = jared;
  const made = [
    chat.createCustomMessage({ to: 'Jonh', payload: { data: '{"a":1}', description: 'd', extension: 'e' } }),
    chat.createFaceMessage({ to: 'Jonh', payload: { index: 0, data: 'cat' } }),
    chat.createLocationMessage({ to: 'Jonh', payload: { description: 'pier', latitude: 22.5, longitude: -113.25 } }),
    chat.createImageMessage({
      to: 'Jonh',
      payload: {
        uuid: 'u',
        imageFormat: 3,
        imageInfoArray: [{ url: 'https://img.example/1', width: 4, height: 5, size: 6, type: 0 }],
      },
    }),
    chat.createAudioMessage({ to: 'Jonh', payload: { url: 'https://img.example/a', uuid: 'u', size: 7, second: 3 } }),
    chat.createVideoMessage({
      to: 'Jonh',
      payload: { videoUrl: 'https://img.example/v', videoSecond: 2, snapshotUrl: 'https://img.example/s' },
    }),
    chat.createFileMessage({
      to: 'Jonh',
      payload: { fileUrl: 'https://img.example/f', fileName: 'f.txt', fileSize: 8 },
    }),
    chat.createElementMessage({
      to: 'Jonh',
      elements: [
        { MsgType: 'TIMTextElem', MsgContent: { Text: 'one' } },
        { MsgType: 'TIMFaceElem', MsgContent: { Index: 2, Data: 'x' } },
      ],
    }),
  ];
  for (const message of made) await chat.sendMessage(message);
  const { data } = await chat.sendMessage(chat.createForwardMessage({ to: 'Jonh', payload: made[0] }));
  await jonh.until('all', () => jonh.messages(EVENT.MESSAGE_RECEIVED).length === 9);
  const seen = ({ type, payload, elements }) => ({ type, payload, elements });
  assert.deepEqual(jonh.messages(EVENT.MESSAGE_RECEIVED).map(seen), [...made, data.message].map(seen));
  assert.throws(() => chat.createImageMessage({ to: 'Jonh', payload: { file: {} } }), { code: 60009 });
});

test(
  'a recall is seen by both sides and all their devices, once, and not by the one that did it',
  withServer,
  async (t) => {
    const { server, jared, jonh } = await pair(t);
    const phone = await Device.login(t, server, 'jared', { platform: 'iOS' });
    const pad = await Device.login(t, server, 'Jonh', { platform: 'iPad' });
    const sent = await jared.say('Jonh', 'sorry');
    const held = await Promise.all([phone, jonh, pad].map((device) => device.received('sorry')));
    await jonh.event(EVENT.TOTAL_UNREAD_MESSAGE_COUNT_UPDATED, (total) => total === 1);
    jonh.events.length = 0;
    const { data } = await jared.chat.revokeMessage(sent);
    assert.equal(data.message, sent);
    assert.deepEqual([sent.isRevoked, sent.revoker, sent.payload], [true, 'jared', {}]);
    for (const device of [phone, jonh, pad]) await device.event(EVENT.MESSAGE_REVOKED);
    await jonh.event(EVENT.TOTAL_UNREAD_MESSAGE_COUNT_UPDATED);
    assert.deepEqual(
      jonh.events.map(({ name }) => name),
      [EVENT.MESSAGE_REVOKED, EVENT.CONVERSATION_LIST_UPDATED, EVENT.TOTAL_UNREAD_MESSAGE_COUNT_UPDATED],
    );
    assert.deepEqual(
      held.map(({ isRevoked, payload }) => [isRevoked, payload]),
      [
        [true, {}],
        [true, {}],
        [true, {}],
      ],
    );
    const [conversation] = (await jonh.chat.getConversationList()).data.conversationList;
    assert.deepEqual(
      [conversation.unreadCount, conversation.lastMessage.isRevoked, conversation.lastMessage.revoker],
      [0, true, 'jared'],
    );
    assert.equal(jonh.chat.getTotalUnreadMessageCount(), 0);
    // What everyone has heard of by now, the recall was before it.
    await jonh.say('jared', 'never mind');
    for (const device of [jared, phone, pad]) await device.received('never mind');
    const told = [jared, phone, jonh, pad].map((device) => device.messages(EVENT.MESSAGE_REVOKED).length);
    assert.deepEqual(told, [0, 1, 1, 1]);
    await assert.rejects(jared.chat.revokeMessage(sent), { code: 20023 });
    await assert.rejects(jonh.chat.revokeMessage(held[1]), { code: 20022 });
    const page = await jonh.chat.getMessageList({ conversationID: 'C2Cjared' });
    assert.deepEqual(
      page.data.messageList.map(({ ID, isRevoked }) => [ID === sent.ID, isRevoked]),
      [
        [true, true],
        [false, false],
      ],
    );
  },
);

test('a message that an instance does not hold is recalled by its ID', withServer, async (t) => {
  const { server, jared, jonh } = await pair(t);
  const { ID, conversationID } = await jared.say('Jonh', 'from before');
  await jared.chat.logout();
  const later = await Device.login(t, server, 'jared');
  assert.equal(later.chat.findMessage(ID), null);
  const { data } = await later.chat.revokeMessage({ ID, conversationID });
  assert.equal(data.message.isRevoked, true);
  await jonh.event(EVENT.MESSAGE_REVOKED);
  const unknown = { ID: ID.replace(/\d+$/, '1'), conversationID };
  await assert.rejects(later.chat.revokeMessage(unknown), { code: 20022 });
});

test('a recall that comes too late', withServer, async (t) => {
  const { jared } = await pair(t, 'recall_window_s = 1');
  const sent = await jared.say('Jonh', 'too late');
  let error;
  for (const began_ms = Date.now(); !error && Date.now() - began_ms < 8_000; ) {
    const probe = await jared.say('Jonh', `probe ${Date.now()}`);
    if (probe.time > sent.time + 1)
      error = await jared.chat.revokeMessage(sent).then(
        () => null,
        (failed) => failed,
      );
    else await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.equal(error?.code, 20016);
  assert.equal(sent.isRevoked, false);
});

test('a device that was away learns of messages and recalls, nothing twice', withServer, async (t) => {
  const { server, jared, jonh } = await pair(t);
  const taken = await jared.say('Jonh', 'will be recalled');
  const kept = await jared.say('Jonh', 'stays');
  const held = await jonh.received('will be recalled');
  await jonh.received('stays');
  await server.kill();
  await jonh.event(EVENT.NET_STATE_CHANGE, ({ state }) => state === TYPES.NET_STATE_DISCONNECTED);
  await jared.event(EVENT.NET_STATE_CHANGE, ({ state }) => state === TYPES.NET_STATE_DISCONNECTED);
  const offline = jared.text('Jonh', 'while away');
  await assert.rejects(jared.chat.sendMessage(offline), { code: 2800 });
  assert.equal(offline.status, 'fail');
  for (const device of [jared, jonh]) device.events.length = 0;
  await server.run();
  // By REST, so that it happens whether or not the devices are back.
  const { MsgKey } = await server.rest('openim/sendmsg', restText('jared', 'Jonh', 'gone before it came'));
  await server.rest('openim/admin_msgwithdraw', { From_Account: 'jared', To_Account: 'Jonh', MsgKey });
  const takenKey = `${taken.sequence}_${taken.random}_${taken.time}`;
  await server.rest('openim/admin_msgwithdraw', { From_Account: 'jared', To_Account: 'Jonh', MsgKey: takenKey });
  await jared.event(EVENT.NET_STATE_CHANGE, ({ state }) => state === TYPES.NET_STATE_CONNECTED);
  await jared.chat.resendMessage(offline);
  await jonh.received('while away');
  await jonh.say('jared', 'the end');
  await jared.received('the end');
  const ids = (device, name) => device.messages(name).map(({ ID }) => ID);
  assert.equal(held.isRevoked, true);
  assert.equal(kept.isRevoked, false);
  const received = ids(jonh, EVENT.MESSAGE_RECEIVED);
  assert.deepEqual([received.length, received[1]], [2, offline.ID]);
  assert.deepEqual(ids(jonh, EVENT.MESSAGE_REVOKED), [received[0], taken.ID]);
  // The admin recalled them, so the sender is told as well.
  assert.deepEqual(ids(jared, EVENT.MESSAGE_REVOKED), [received[0], taken.ID]);
  assert.equal(jonh.chat.getTotalUnreadMessageCount(), 2);
});

test('a send that was under way when the server was killed becomes one message', withServer, async (t) => {
  const { server, jared, jonh } = await pair(t);
  await jared.say('Jonh', 'before');
  await jonh.received('before');
  const texts = Array.from({ length: 20 }, (_, index) => `number ${index}`);
  // Killed after the first answer: some are answered, some stored and not answered, some not stored.
  const sends = texts.map((text) => jared.chat.sendMessage(jared.text('Jonh', text)));
  await sends[0];
  await server.kill();
  await server.run();
  const sent = (await Promise.all(sends)).map(({ data }) => data.message);
  assert.ok(sent.every(({ status }) => status === 'success'));
  await jared.say('Jonh', 'after');
  await jonh.received('after');
  const expected = ['before', ...texts, 'after'];
  assert.deepEqual(
    jonh
      .messages(EVENT.MESSAGE_RECEIVED)
      .map(({ payload }) => payload.text)
      .sort(),
    [...expected].sort(),
  );
  const stored = await history(jonh.chat, 'C2Cjared');
  assert.deepEqual(stored.map(({ payload }) => payload.text).sort(), [...expected].sort());
  assert.deepEqual(jared.messages(EVENT.MESSAGE_RECEIVED), []);
});

async function history(chat, conversationID, count) {
  const all = [];
  let nextReqMessageID;
  for (;;) {
    const { data } = await chat.getMessageList({ conversationID, nextReqMessageID, count });
    all.unshift(...data.messageList);
    nextReqMessageID = data.nextReqMessageID;
    if (data.isCompleted) return all;
  }
}

test('a server whose store is another one: what is held is let go, what is there is told', withServer, async (t) => {
  const { server, jared, jonh } = await pair(t);
  const old = await jared.say('Jonh', 'of the old store');
  const held = await jonh.received('of the old store');
  await server.kill();
  await server.forget();
  jonh.events.length = 0;
  await server.run();
  await server.accounts('jared', 'Jonh');
  const { MsgId } = await server.rest('openim/sendmsg', restText('jared', 'Jonh', 'of the new one'));
  await jonh.received('of the new one');
  assert.deepEqual(
    jonh.messages(EVENT.MESSAGE_RECEIVED).map(({ ID }) => ID),
    [MsgId],
  );
  assert.deepEqual([held.isDeleted, jonh.chat.findMessage(old.ID)], [true, null]);
  const [conversation] = (await jonh.chat.getConversationList()).data.conversationList;
  assert.deepEqual(
    [conversation.lastMessage.ID, conversation.unreadCount, jonh.chat.getTotalUnreadMessageCount()],
    [MsgId, 1, 1],
  );
  await jared.event(EVENT.NET_STATE_CHANGE, ({ state }) => state === TYPES.NET_STATE_DISCONNECTED);
  await jared.until(
    'jared is back',
    () => jared.of(EVENT.NET_STATE_CHANGE).at(-1).data.state === TYPES.NET_STATE_CONNECTED,
  );
  await jared.say('Jonh', 'and on');
  await jonh.received('and on');
});

test('a UserSig that expires ends the login', withServer, async (t) => {
  const server = await Server.start(t);
  const device = new Device(t, server, {});
  await device.chat.login({ userID: 'jared', userSig: userSig('jared', 2) });
  assert.equal((await device.event(EVENT.KICKED_OUT)).type, TYPES.KICKED_OUT_USERSIG_EXPIRED);
  await device.event(EVENT.SDK_NOT_READY);
});

test('a login on another device of the same platform ends the first one', withServer, async (t) => {
  const { server, jared } = await pair(t);
  const phone = await Device.login(t, server, 'jared', { platform: 'Android' });
  const other = await Device.login(t, server, 'jared');
  const { type } = await jared.event(EVENT.KICKED_OUT);
  assert.equal(type, TYPES.KICKED_OUT_MULT_ACCOUNT);
  await jared.event(EVENT.SDK_NOT_READY);
  const names = jared.events.map(({ name }) => name);
  assert.ok(names.indexOf(EVENT.KICKED_OUT) < names.indexOf(EVENT.SDK_NOT_READY));
  assert.deepEqual([jared.chat.isReady(), phone.chat.isReady(), other.chat.isReady()], [false, true, true]);
  await assert.rejects(jared.chat.getConversationList(), { code: 2024 });
  await server.rest('im_open_login_svc/kick', { UserID: 'jared' });
  for (const device of [phone, other]) {
    assert.equal((await device.event(EVENT.KICKED_OUT)).type, TYPES.KICKED_OUT_REST_API);
  }
  await assert.rejects(
    other.chat.login({ userID: 'jared', userSig: userSig('jared', 86_400, Math.floor(Date.now() / 1000) - 60) }),
    { code: 70001 },
  );
});

test('a UserSig that does not fit', withServer, async (t) => {
  const server = await Server.start(t);
  const device = new Device(t, server, {});
  const check = (userID, sig, code) => assert.rejects(device.chat.login({ userID, userSig: sig }), { code });
  await check('jared', userSig('Jonh'), 70013);
  await check('jared', userSig('jared', 10, 1_000_000), 70001);
  await check('jared', 'abc', 70003);
  assert.equal((await device.chat.login({ userID: 'jared', userSig: userSig('jared') })).data.repeatLogin, false);
});

test('unread numbers, read marks, and who has read what', withServer, async (t) => {
  const { server, jared, jonh } = await pair(t);
  const mary = await Device.login(t, server, 'mary');
  const pad = await Device.login(t, server, 'Jonh', { platform: 'iPad' });
  const mine = [await jared.say('Jonh', 'one'), await jared.say('Jonh', 'two')];
  await mary.say('Jonh', 'three');
  await jared.chat.sendMessage(jared.text('Jonh', 'silent'), { messageControlInfo: { excludedFromUnreadCount: true } });
  await pad.until('three unread', () => pad.chat.getTotalUnreadMessageCount() === 3);
  await jonh.received('silent');
  const unread = async (device) =>
    Object.fromEntries(
      (await device.chat.getConversationList()).data.conversationList.map((one) => [
        one.conversationID,
        one.unreadCount,
      ]),
    );
  assert.deepEqual(await unread(jonh), { C2Cjared: 2, C2Cmary: 1 });
  await jonh.chat.setMessageRead({ conversationID: 'C2Cjared' });
  assert.deepEqual([jonh.chat.getTotalUnreadMessageCount(), await unread(jonh)], [1, { C2Cjared: 0, C2Cmary: 1 }]);
  await pad.until('one unread', () => pad.chat.getTotalUnreadMessageCount() === 1);
  const read = await jared.event(EVENT.MESSAGE_READ_BY_PEER);
  assert.deepEqual(
    read.map(({ payload, isPeerRead }) => [payload.text, isPeerRead]),
    [
      ['one', true],
      ['two', true],
      ['silent', true],
    ],
  );
  assert.ok(mine.every(({ isPeerRead }) => isPeerRead));
  const [last] = (await jared.chat.getConversationList()).data.conversationList;
  assert.equal(last.lastMessage.isPeerRead, true);
  const three = await jared.say('Jonh', 'later');
  await jonh.received('later');
  await jonh.chat.setAllMessageRead();
  assert.equal(jonh.chat.getTotalUnreadMessageCount(), 0);
  await pad.until('nothing unread', () => pad.chat.getTotalUnreadMessageCount() === 0);
  assert.deepEqual(await unread(pad), { C2Cjared: 0, C2Cmary: 0 });
  await jared.until('later is read', () => three.isPeerRead);
  assert.deepEqual(
    jared
      .messages(EVENT.MESSAGE_READ_BY_PEER)
      .map(({ ID }) => ID)
      .slice(3),
    [three.ID],
  );
  assert.equal(jonh.chat.getTotalUnreadMessageCount(), 0);
});

test('history by pages: oldest first, each message once, to the beginning', withServer, async (t) => {
  const { server, jared, jonh } = await pair(t);
  const texts = Array.from({ length: 40 }, (_, index) => `message ${index}`);
  for (const text of texts) await jared.say('Jonh', text);
  await jonh.received('message 39');
  const page = await jonh.chat.getMessageList({ conversationID: 'C2Cjared', count: 50 });
  assert.deepEqual(
    page.data.messageList.map(({ payload }) => payload.text),
    texts.slice(-15),
  );
  assert.equal(page.data.messageList[14], jonh.chat.findMessage(page.data.messageList[14].ID));
  assert.deepEqual(
    (await history(jonh.chat, 'C2Cjared')).map(({ payload }) => payload.text),
    texts,
  );
  assert.deepEqual(
    (await history(jonh.chat, 'C2Cjared', 7)).map(({ payload }) => payload.text),
    texts,
  );
  const newest = page.data.messageList[14];
  const hop = await jonh.chat.getMessageListHopping({ conversationID: 'C2Cjared', time: newest.time, count: 3 });
  assert.deepEqual(
    hop.data.messageList.map(({ payload }) => payload.text),
    texts.slice(-3),
  );
  await assert.rejects(jonh.chat.getMessageListHopping({ conversationID: 'C2Cjared', direction: 1 }), { code: 60009 });
  await jared.chat.logout();
  const later = await Device.login(t, server, 'jared');
  assert.deepEqual(
    (await history(later.chat, 'C2CJonh')).map(({ payload }) => payload.text),
    texts,
  );
});

test('receipts', withServer, async (t) => {
  const { jared, jonh } = await pair(t);
  const wanted = await jared.say('Jonh', 'read this', { needReadReceipt: true });
  const other = await jared.say('Jonh', 'or not');
  const [got, unwanted] = [await jonh.received('read this'), await jonh.received('or not')];
  assert.equal(got.needReadReceipt, true);
  await jonh.chat.sendMessageReadReceipt([got, unwanted]);
  assert.deepEqual(await jared.event(EVENT.MESSAGE_READ_RECEIPT_RECEIVED), [
    { userID: 'Jonh', messageID: wanted.ID, isPeerRead: true, groupID: '', readCount: 0, unreadCount: 0 },
  ]);
  assert.equal(wanted.readReceiptInfo.isPeerRead, true);
  assert.ok(Math.abs(wanted.readReceiptInfo.timestamp - Date.now() / 1000) < 10);
  const { data } = await jared.chat.getMessageReadReceiptList([wanted, other]);
  assert.deepEqual(
    data.messageList.map(({ readReceiptInfo }) => readReceiptInfo.isPeerRead),
    [true, false],
  );
  assert.equal(jonh.chat.getTotalUnreadMessageCount(), 2, 'receipts change no count');
});

test('a modified message is another one on all sides, in the same object', withServer, async (t) => {
  const { jared, jonh } = await pair(t);
  const sent = await jared.say('Jonh', 'at onw?', { cloudCustomData: 'v1' });
  const got = await jonh.received('at onw?');
  Object.assign(sent, { payload: { text: 'at one?' }, cloudCustomData: 'v2' });
  await jared.chat.modifyMessage(sent);
  for (const device of [jared, jonh]) await device.event(EVENT.MESSAGE_MODIFIED);
  assert.deepEqual([got.payload.text, got.cloudCustomData, got.isModified], ['at one?', 'v2', true]);
  assert.equal(jonh.messages(EVENT.MESSAGE_MODIFIED)[0], got);
  await jared.chat.revokeMessage(sent);
  sent.payload = { text: 'too late' };
  await assert.rejects(jared.chat.modifyMessage(sent), ({ code, data }) => code === 20023 && data.message === sent);
  assert.deepEqual(sent.payload, {});
  got.payload = { text: 'not mine' };
  await assert.rejects(jonh.chat.modifyMessage(got), { code: 20022 });
});

test('what the app backend sends and recalls by REST', withServer, async (t) => {
  const { server, jared, jonh } = await pair(t);
  const { MsgKey, MsgId } = await server.rest('openim/sendmsg', restText('jared', 'Jonh', 'by REST'));
  const [out, got] = [await jared.received('by REST'), await jonh.received('by REST')];
  assert.deepEqual([out.ID, out.flow, got.ID, got.flow], [MsgId, 'out', MsgId, 'in']);
  await server.rest('openim/admin_msgwithdraw', { From_Account: 'jared', To_Account: 'Jonh', MsgKey });
  for (const device of [jared, jonh]) assert.equal((await device.event(EVENT.MESSAGE_REVOKED))[0].ID, MsgId);
  assert.ok(out.isRevoked && got.isRevoked);
});

test('blocklists', withServer, async (t) => {
  const { jared, jonh } = await pair(t);
  assert.deepEqual((await jonh.chat.addToBlacklist({ userIDList: ['jared'] })).data, ['jared']);
  assert.deepEqual(await jonh.event(EVENT.BLACKLIST_UPDATED), ['jared']);
  const refused = jared.text('Jonh', 'hello?');
  await assert.rejects(jared.chat.sendMessage(refused), ({ code, data }) => code === 20007 && data.message === refused);
  assert.equal(refused.status, 'fail');
  assert.deepEqual((await jonh.chat.getBlacklist()).data, ['jared']);
  assert.deepEqual((await jonh.chat.removeFromBlacklist({ userIDList: ['jared'] })).data, []);
  await jared.chat.resendMessage(refused);
  await jonh.received('hello?');
});

test('messages for whoever is online now are kept nowhere', withServer, async (t) => {
  const { jared, jonh } = await pair(t);
  const { data } = await jared.chat.sendMessage(jared.text('Jonh', 'typing'), { onlineUserOnly: true });
  const got = await jonh.received('typing');
  assert.equal(got.ID, data.message.ID);
  assert.deepEqual(await history(jonh.chat, 'C2Cjared'), []);
  assert.equal(jonh.chat.getTotalUnreadMessageCount(), 0);
  await assert.rejects(jared.chat.revokeMessage(data.message), { code: 20022 });
});

test('deleting concerns this account alone, on all its devices', withServer, async (t) => {
  const { server, jared, jonh } = await pair(t);
  const pad = await Device.login(t, server, 'Jonh', { platform: 'iPad' });
  for (const text of ['one', 'two', 'three']) await jared.say('Jonh', text);
  const [two, onPad] = [await jonh.received('two'), await pad.received('two')];
  await pad.received('three');
  const { data } = await jonh.chat.deleteMessage([two]);
  assert.deepEqual([data.messageList, two.isDeleted], [[two], true]);
  await pad.until('the other device follows', () => onPad.isDeleted);
  const texts = async (device, conversationID) =>
    (await history(device.chat, conversationID)).map(({ payload }) => payload.text);
  assert.deepEqual(await texts(jonh, 'C2Cjared'), ['one', 'three']);
  assert.deepEqual(await texts(jared, 'C2CJonh'), ['one', 'two', 'three']);
  await jonh.chat.clearHistoryMessage('C2Cjared');
  assert.deepEqual(await texts(jonh, 'C2Cjared'), []);
  const list = (await jonh.chat.getConversationList()).data.conversationList;
  assert.deepEqual(
    list.map(({ conversationID, unreadCount, lastMessage }) => [conversationID, unreadCount, lastMessage.ID]),
    [['C2Cjared', 0, '']],
  );
  await jared.say('Jonh', 'four');
  await jonh.received('four');
  await jonh.chat.deleteConversation({ conversationIDList: ['C2Cjared'], clearHistoryMessage: false });
  assert.deepEqual((await jonh.chat.getConversationList()).data.conversationList, []);
  await pad.until('the list is empty', () => pad.of(EVENT.CONVERSATION_LIST_UPDATED).at(-1).data.length === 0);
  assert.deepEqual(await texts(jonh, 'C2Cjared'), ['four']);
  assert.equal(jonh.chat.getTotalUnreadMessageCount(), 0);
});

test('profiles, online states, and conversations that are opened', withServer, async (t) => {
  const { server, jared, jonh } = await pair(t);
  await server.accounts('mary');
  await jonh.chat.updateMyProfile({ nick: 'Jonh B.', avatar: 'https://img.example/j' });
  assert.equal((await jonh.event(EVENT.PROFILE_UPDATED))[0].nick, 'Jonh B.');
  assert.equal((await jonh.chat.getMyProfile()).data.avatar, 'https://img.example/j');
  const { data } = await jared.chat.getUserProfile({ userIDList: ['Jonh', 'ghost'] });
  assert.deepEqual(
    data.map(({ userID, nick }) => [userID, nick]),
    [['Jonh', 'Jonh B.']],
  );
  const status = (await jared.chat.getUserStatus({ userIDList: ['Jonh', 'mary', 'ghost'] })).data;
  assert.deepEqual(
    status.successUserList.map(({ userID, statusType }) => [userID, statusType]),
    [
      ['Jonh', TYPES.USER_STATUS_ONLINE],
      ['mary', TYPES.USER_STATUS_OFFLINE],
    ],
  );
  assert.deepEqual(
    status.failureUserList.map(({ userID }) => userID),
    ['ghost'],
  );
  const opened = (await jared.chat.getConversationProfile('C2CJonh')).data.conversation;
  assert.deepEqual([opened.userProfile.nick, opened.lastMessage.ID, opened.unreadCount], ['Jonh B.', '', 0]);
  await assert.rejects(jared.chat.getConversationProfile('C2Cghost'), { code: 20003 });
  await jared.say('mary', 'hi');
  await jared.until('both', () => jared.of(EVENT.CONVERSATION_LIST_UPDATED).at(-1).data.length === 2);
  await jared.chat.pinConversation({ conversationID: 'C2CJonh', isPinned: true });
  const list = jared.of(EVENT.CONVERSATION_LIST_UPDATED).at(-1).data;
  assert.deepEqual(
    list.map(({ conversationID, isPinned }) => [conversationID, isPinned]),
    [
      ['C2CJonh', true],
      ['C2Cmary', false],
    ],
  );
  await jared.chat.setConversationDraft({ conversationID: 'C2Cmary', draftText: 'dear' });
  assert.equal((await jared.chat.getConversationList(['C2Cmary'])).data.conversationList[0].draftText, 'dear');
  const got = (await jared.chat.getConversationList({ hasUnreadCount: true })).data.conversationList;
  assert.deepEqual(got, []);
});
