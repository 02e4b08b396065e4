// The Conversation and the Profile that applications see, made of what the server says.

import { TYPES } from '../types.js';
import { contentOf, keyParts } from './message.js';
import { shown } from './elements.js';

/** Puts the server's state and what this instance alone knows (`local`) into a Conversation, in place. */
export function fillConversation(conversation, wire, local) {
  return Object.assign(conversation, {
    conversationID: `C2C${wire.peer}`,
    type: TYPES.CONV_C2C,
    subType: '',
    unreadCount: wire.unread,
    lastMessage: lastMessageOf(wire),
    userProfile: profileOf({ user_id: wire.peer, nick: wire.nick, face_url: wire.face_url }),
    remark: '',
    isPinned: local.isPinned,
    draftText: local.draftText,
    messageRemindType: TYPES.MSG_REMIND_ACPT_AND_NOTE,
    markList: [],
    customData: '',
    conversationGroupList: [],
    groupAtInfoList: [],
  });
}

function lastMessageOf({ last_message: last, peer, peer_read_position, time_s }) {
  if (!last) {
    return {
      ID: '',
      lastTime: time_s,
      lastSequence: 0,
      fromAccount: '',
      nick: '',
      nameCard: '',
      isRevoked: false,
      revoker: null,
      isPeerRead: false,
      messageForShow: '',
      type: '',
      payload: {},
      cloudCustomData: '',
    };
  }
  const { type, payload } = contentOf(last);
  const { sequence, time_s: lastTime } = keyParts(last.msg_key);
  const isRevoked = last.recalled_by !== undefined;
  return {
    ID: last.msg_id,
    lastTime,
    lastSequence: sequence,
    fromAccount: last.from,
    nick: '',
    nameCard: '',
    isRevoked,
    revoker: last.recalled_by ?? null,
    isPeerRead: last.to === peer && last.position > 0 && last.position <= peer_read_position,
    messageForShow: shown(type, payload, isRevoked),
    type,
    payload,
    cloudCustomData: last.custom_data ?? '',
  };
}

export function profileOf({ user_id, nick, face_url }) {
  return {
    userID: user_id,
    nick,
    avatar: face_url,
    gender: TYPES.GENDER_UNKNOWN,
    birthday: 0,
    location: '',
    selfSignature: '',
    allowType: TYPES.ALLOW_TYPE_ALLOW_ANY,
    language: 0,
    messageSettings: 0,
    adminForbidType: TYPES.FORBID_TYPE_NONE,
    level: 0,
    role: 0,
    lastUpdatedTime: 0,
    profileCustomField: [],
  };
}
