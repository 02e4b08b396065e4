// The types of unsaid-chat. Times are in seconds since 1970 unless something else is said.

import type { ChatSDK, CreateOptions } from './types/chat.js';
import { EVENT, TYPES } from './types/enums.js';

export { EVENT, TYPES };
export type { Answer, ChatSDK, CreateOptions, LoginData, MessagePage, Nothing, WebSocketLike } from './types/chat.js';
export type {
  Conversation,
  ConversationFilter,
  LastMessage,
  Profile,
  UserFailure,
  UserStatus,
} from './types/conversation.js';
export type { ChatEvent, EventName, KickedOut } from './types/events.js';
export type {
  AudioPayload,
  CustomPayload,
  ElementOptions,
  FacePayload,
  FilePayload,
  ImageInfo,
  ImagePayload,
  KnownType,
  LocationPayload,
  Message,
  MessageElement,
  MessageOptions,
  MessageReadReceipt,
  Payload,
  PayloadOf,
  PayloadOptions,
  ReadReceiptInfo,
  SendOptions,
  TextPayload,
  UserInfo,
  VideoPayload,
} from './types/message.js';

/**
 * The instance of an app: made by the first call, and handed out again until it is destroyed. Throws a `ChatError` (20001)
 * if an option is missing or wrong.
 */
export declare function create(options: CreateOptions): ChatSDK;

/** An instance of its own, for programs in which several users of one app are logged in. */
export declare class Chat {
  constructor(options: CreateOptions);
}
export interface Chat extends ChatSDK {}

/** What Promises reject with, and `create...Message` functions throw. */
export declare class ChatError extends Error {
  constructor(code: number, message: string, data?: Record<string, unknown>);
  readonly code: number;
  /** Has `message`, the Message, where one is concerned. */
  readonly data: { message?: import('./types/message.js').Message } & Record<string, unknown>;
}

/** Codes that the SDK gives by itself. */
export declare const CODE: {
  readonly ARGUMENT: 20001;
  readonly NO_MESSAGE: 20022;
  readonly RECALLED_BEFORE: 20023;
  readonly RECALL_TOO_LATE: 20016;
  readonly NO_ACCOUNT: 20003;
  readonly NOT_LOGGED_IN: 2024;
  readonly LOGIN_REPEATED: 2025;
  readonly SYSTEM_CONVERSATION: 2106;
  readonly RECALL_FAILED: 2110;
  readonly REQUEST_FAILED: 2800;
  readonly REQUEST_TIMEOUT: 2801;
  readonly NOT_READY: 2999;
  readonly NOT_PART_OF_UNSAID: 60009;
  readonly TOO_LONG: 80002;
};

declare const UnsaidChat: {
  readonly create: typeof create;
  readonly EVENT: typeof EVENT;
  readonly TYPES: typeof TYPES;
};
export default UnsaidChat;
