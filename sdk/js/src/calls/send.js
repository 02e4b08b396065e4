// Sending. A message keeps its seq, random and client time through every attempt, so that the server knows a repeat.

import { object } from '../arguments.js';
import { wrongArgument } from '../errors.js';
import { elementOf } from '../model/elements.js';

export async function sendMessage(core, message, options) {
  const entry = ownEntry(core, message);
  if (entry.wire) throw wrongArgument('this message was sent already: create another one');
  return send(core, entry, message, options ?? {});
}

/** For a message whose sending failed. One that arrived after all is not sent again. */
export async function resendMessage(core, message, options) {
  const entry = ownEntry(core, message);
  if (entry.wire) return { message: entry.message };
  return send(core, entry, message, options ?? entry.options ?? {});
}

/** What is sent as `body`: the elements, the first one as the payload says it now. */
export function bodyOf(message) {
  const [first, ...rest] = message.elements;
  return [elementOf(message.type, message.payload, first), ...rest];
}

async function send(core, entry, message, options) {
  checkOptions(options);
  entry.sending ??= attempt(core, entry, message, options).finally(() => {
    entry.sending = null;
  });
  return entry.sending;
}

async function attempt({ session, store, raiseAll }, entry, { type, payload, elements, cloudCustomData }, options) {
  const { message } = entry;
  const { onlineUserOnly, messageControlInfo = {}, offlinePushInfo } = options;
  entry.seq ??= store.messages.nextSeq(session.serverTime_ms);
  Object.assign(entry, { options, isOnlineOnly: onlineUserOnly === true });
  message.sequence = entry.seq;
  const body = bodyOf({ type, payload, elements });
  const data = {
    to: message.to,
    seq: entry.seq,
    random: message.random,
    client_time_s: message.clientTime,
    body,
    custom_data: cloudCustomData || undefined,
    online_only: onlineUserOnly === true || undefined,
    no_unread: messageControlInfo.excludedFromUnreadCount === true || undefined,
    no_last: messageControlInfo.excludedFromLastMessage === true || undefined,
    needs_receipt: message.needReadReceipt || undefined,
    push_info: offlinePushInfo && pushInfoOf(offlinePushInfo),
  };
  message.status = 'unSend';
  try {
    const { msg_key, msg_id } = await session.ask('send', data);
    const { push_info, online_only, to, seq: _, random: __, ...kept } = data;
    const types = body.map(({ MsgType }) => MsgType).join(',');
    raiseAll(store.sent(entry, { ...kept, from: message.from, to, msg_key, msg_id, position: 0, types }));
  } catch (error) {
    // Its push may have come although its answer did not.
    if (!entry.wire) {
      message.status = 'fail';
      error.data = { message };
      throw error;
    }
  }
  return { message };
}

function ownEntry({ store }, message) {
  const entry = store.messages.get(object(message, 'the message').ID);
  if (!entry?.own) throw wrongArgument('the message has to come from a create...Message function of this login');
  return entry;
}

function checkOptions(options) {
  const { onlineUserOnly, messageControlInfo } = object(options, 'options');
  if (onlineUserOnly === true && messageControlInfo !== undefined) {
    throw wrongArgument('onlineUserOnly cannot go with messageControlInfo: such a message is neither counted nor kept');
  }
}

/** `offlinePushInfo` as the REST API names it. Unsaid keeps it with the message, and pushes nothing to phones. */
function pushInfoOf({ disablePush, title, description, extension, androidInfo, apnsInfo }) {
  return {
    PushFlag: disablePush === true ? 1 : 0,
    ...(title !== undefined && { Title: title }),
    ...(description !== undefined && { Desc: description }),
    ...(extension !== undefined && { Ext: extension }),
    ...(androidInfo !== undefined && { AndroidInfo: androidInfo }),
    ...(apnsInfo !== undefined && { ApnsInfo: apnsInfo }),
  };
}
