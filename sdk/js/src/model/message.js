// The Message that applications hold. There is one object for each message in an instance, and it is changed in place.

import { TYPES } from '../types.js';
import { payloadOf } from './elements.js';

/** A Message with every field at its default. */
export function newMessage({ ID, from, to, self }) {
  return {
    ID,
    type: '',
    payload: {},
    elements: [],
    conversationID: `C2C${peerOfWire({ from, to }, self)}`,
    conversationType: TYPES.CONV_C2C,
    from,
    to,
    flow: from === self ? 'out' : 'in',
    time: 0,
    clientTime: 0,
    random: 0,
    sequence: 0,
    status: 'unSend',
    isRevoked: false,
    revoker: '',
    revokerInfo: { userID: '', nick: '', avatar: '' },
    revokeReason: '',
    isDeleted: false,
    isModified: false,
    isPeerRead: false,
    needReadReceipt: false,
    readReceiptInfo: { isPeerRead: false, timestamp: 0 },
    nick: '',
    avatar: '',
    cloudCustomData: '',
    isSupportExtension: false,
    hasRiskContent: false,
    priority: TYPES.MSG_PRIORITY_NORMAL,
    nameCard: '',
    atUserList: [],
    isBroadcastMessage: false,
  };
}

/** Puts what the server says of a message into its Message. `person` gives name and face of a user. */
export function fill(message, wire, person) {
  const { sequence, random, time_s } = keyParts(wire.msg_key);
  const wasRead = message.readReceiptInfo.isPeerRead;
  Object.assign(message, {
    time: time_s,
    clientTime: wire.client_time_s,
    random,
    sequence,
    status: 'success',
    isModified: wire.modified === true,
    needReadReceipt: wire.needs_receipt === true,
    cloudCustomData: wire.custom_data ?? '',
    ...contentOf(wire),
    ...namesOf(person(wire.from)),
  });
  if (wire.has_receipt === true && !wasRead) message.readReceiptInfo = { isPeerRead: true, timestamp: 0 };
  if (wire.recalled_by !== undefined) {
    message.isRevoked = true;
    message.revoker = wire.recalled_by;
    message.revokerInfo = { userID: wire.recalled_by, ...namesOf(person(wire.recalled_by)) };
  }
}

/** `elements`, and the first one of them as `type` and `payload`; a tombstone has its type alone. */
export function contentOf(wire) {
  const [first] = wire.body;
  return {
    elements: wire.body.map((element) => ({ ...element })),
    type: first ? first.MsgType : (wire.types ?? '').split(',')[0],
    payload: first ? payloadOf(first) : {},
  };
}

/** What is left of a message that `recalledBy` took back. */
export function tombstoneOf(wire, recalledBy) {
  const { custom_data: _, ...rest } = wire;
  return { ...rest, body: [], types: wire.types, recalled_by: recalledBy };
}

export function keyParts(msgKey) {
  const [sequence, random, time_s] = msgKey.split('_').map(Number);
  return { sequence, random, time_s };
}

export function peerOfWire({ from, to }, self) {
  return from === self ? to : from;
}

function namesOf({ nick, face_url }) {
  return { nick, avatar: face_url };
}
