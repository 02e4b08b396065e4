import type { Payload } from './message.js';

export interface Profile {
  userID: string;
  nick: string;
  avatar: string;
  /** This and what follows is for ported code: Unsaid keeps `nick` and `avatar`. */
  gender: string;
  birthday: number;
  location: string;
  selfSignature: string;
  allowType: string;
  language: number;
  messageSettings: number;
  adminForbidType: string;
  level: number;
  role: number;
  lastUpdatedTime: number;
  profileCustomField: { key: string; value: string }[];
}

/** A conversation. In an instance there is one object for each, which is changed in place. */
export interface Conversation {
  /** `C2C` and the other account's user ID. */
  conversationID: string;
  type: 'C2C';
  subType: '';
  unreadCount: number;
  lastMessage: LastMessage;
  userProfile: Profile;
  remark: string;
  /** Of this instance alone. */
  isPinned: boolean;
  /** Of this instance alone. */
  draftText: string;
  messageRemindType: string;
  markList: number[];
  customData: string;
  conversationGroupList: string[];
  groupAtInfoList: never[];
}

export interface LastMessage {
  /** `''` if there is no message. */
  ID: string;
  /** Seconds since 1970. */
  lastTime: number;
  lastSequence: number;
  fromAccount: string;
  nick: string;
  nameCard: string;
  isRevoked: boolean;
  revoker: string | null;
  isPeerRead: boolean;
  /** One line: the text, or a word in brackets, such as `[image]` or `[recalled]`. */
  messageForShow: string;
  type: string;
  payload: Payload;
  cloudCustomData: string;
}

export interface ConversationFilter {
  type?: string;
  hasUnreadCount?: boolean;
  /** There are no folders in Unsaid: no conversation passes. */
  groupName?: string;
  /** There are no marks in Unsaid: no conversation passes. */
  markType?: number;
  hasGroupAtInfo?: boolean;
}

export interface UserStatus {
  userID: string;
  /** `TYPES.USER_STATUS_ONLINE` or `TYPES.USER_STATUS_OFFLINE`. */
  statusType: number;
  customStatus: string;
}

export interface UserFailure {
  userID: string;
  code: number;
  message: string;
}
