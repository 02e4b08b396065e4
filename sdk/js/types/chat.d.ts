import type { Conversation, ConversationFilter, Profile, UserFailure, UserStatus } from './conversation.js';
import type { ChatEvent, EventName } from './events.js';
import type {
  AudioPayload,
  CustomPayload,
  ElementOptions,
  FacePayload,
  FilePayload,
  ImagePayload,
  LocationPayload,
  Message,
  PayloadOptions,
  SendOptions,
  TextPayload,
  VideoPayload,
} from './message.js';
import type { NotHere } from './not_here.js';

/** What every Promise resolves with. */
export interface Answer<T> {
  code: 0;
  data: T;
}

/** No data. */
export type Nothing = Record<string, never>;

export interface CreateOptions {
  /** The number of the app. */
  SDKAppID: number;
  /** The gateway: `ws://host:port/ws`, or `wss://`. `/ws` is added where the address has no path. */
  server?: string;
  /** The original's name for `server`. */
  proxyServer?: string;
  /**
   * `Web` (the default), `Android`, `iOS`, `Windows`, `Mac` or `iPad`. An account has one login on each platform, unless
   * the app is set up for more.
   */
  platform?: string;
  /** A WebSocket class, where the platform has none and the package `ws` is not wanted. */
  WebSocket?: new (url: string) => WebSocketLike;
}

/** What the SDK needs of a WebSocket; those of browsers, Node 22 and `ws` have it. */
export interface WebSocketLike {
  onopen: unknown;
  onmessage: unknown;
  onerror: unknown;
  onclose: unknown;
  send(frame: string): void;
  close(): void;
}

export interface LoginData {
  actionStatus: 'OK';
  errorCode: 0;
  /** Why nothing was done, if `repeatLogin` is true. */
  errorInfo: string;
  /** This user was logged in on this instance already. */
  repeatLogin: boolean;
  /** For how long a message can be recalled, in seconds from its `time`. The original does not tell it. */
  recallWindow: number;
}

export interface MessagePage {
  /** Oldest first. Recalled messages are among them, with `isRevoked`. */
  messageList: Message[];
  /** For the next call; `''` when nothing older is left. */
  nextReqMessageID: string;
  isCompleted: boolean;
}

/**
 * An instance of the SDK. Every Promise resolves with `{code: 0, data}` and rejects with a `ChatError`.
 *
 * Common codes: 2024 not logged in, 2999 not ready, 2800 no connection, 2801 no answer in time, 20001 a wrong argument; what
 * the server refuses has the server's code.
 */
export interface ChatSDK extends NotHere {
  /**
   * Logs in, and resolves when the conversations are loaded and SDK_READY was raised. From then on the SDK reconnects by
   * itself until `logout` or KICKED_OUT.
   * Codes: 2025 another login is under way or another user is logged in; 2800 the gateway cannot be reached; 70001 to 70020
   * the UserSig does not let this user in.
   */
  login(options: { userID: string; userSig: string }): Promise<Answer<LoginData>>;
  /** Ends the login and clears what this instance holds. Listeners stay. */
  logout(): Promise<Answer<Nothing>>;
  /** `logout`, and nothing is left: the next `create` makes another instance. */
  destroy(): Promise<Answer<Nothing>>;
  /** Who is logged in; `''` if nobody is. */
  getLoginUser(): string;
  /** The server's time in seconds since 1970, as well as it is known; before the first login that of this machine. */
  getServerTime(): number;
  isReady(): boolean;
  /** Register before `login`, or the first events are missed. `context` is `this` of the handler. */
  on<E extends EventName>(eventName: E, handler: (event: ChatEvent<E>) => void, context?: unknown): void;
  /** Like `on`, for one event. */
  once<E extends EventName>(eventName: E, handler: (event: ChatEvent<E>) => void, context?: unknown): void;
  /** The same function that was registered. */
  off<E extends EventName>(
    eventName: E,
    handler: (event: ChatEvent<E>) => void,
    context?: unknown,
    once?: boolean,
  ): void;
  /** Accepted, and without effect. */
  registerPlugin(plugins: Record<string, unknown>): void;
  /** 0 and 1: what happens; 2 (the default): warnings and errors; 3: errors; 4: nothing. */
  setLogLevel(level: 0 | 1 | 2 | 3 | 4): void;

  /** All `create...Message` functions throw a `ChatError`: 20001 a wrong argument, 2024 not logged in. */
  createTextMessage(options: PayloadOptions<TextPayload>): Message<TextPayload>;
  createCustomMessage(options: PayloadOptions<Partial<CustomPayload>>): Message<CustomPayload>;
  createFaceMessage(options: PayloadOptions<Partial<FacePayload>>): Message<FacePayload>;
  createLocationMessage(
    options: PayloadOptions<Partial<LocationPayload> & Pick<LocationPayload, 'latitude' | 'longitude'>>,
  ): Message<LocationPayload>;
  /** Of URLs. Store the image yourself: Unsaid keeps no media. */
  createImageMessage(options: PayloadOptions<ImagePayload>): Message<ImagePayload>;
  /** Of a URL. */
  createAudioMessage(options: PayloadOptions<AudioPayload>): Message<AudioPayload>;
  /** Of a URL. */
  createVideoMessage(options: PayloadOptions<VideoPayload>): Message<VideoPayload>;
  /** Of a URL. */
  createFileMessage(options: PayloadOptions<FilePayload>): Message<FilePayload>;
  /** `payload` is the Message to forward. */
  createForwardMessage(options: PayloadOptions<Message<never> | Message>): Message;
  /** Of any elements, several at once, too. Not in the original. */
  createElementMessage(options: ElementOptions): Message;

  /**
   * Sends. On failure `error.data.message` is the message, with status `fail`. If the connection breaks before the answer,
   * the same is sent again after reconnecting, and becomes one message.
   * Codes: 20001 with `onlineUserOnly` and `messageControlInfo` together; 20003 no such account; 20006 and 120001 to 130000
   * refused by the app backend; 20007 the receiver has blocked this account; 80002 more than 8192 bytes.
   */
  sendMessage<P>(message: Message<P>, options?: SendOptions): Promise<Answer<{ message: Message<P> }>>;
  /** For a message with status `fail`. It stays the same message: whoever got it already does not get it twice. */
  resendMessage<P>(message: Message<P>, options?: SendOptions): Promise<Answer<{ message: Message<P> }>>;
  /**
   * Takes back a message that this account sent. Also by `{ID, conversationID}`, for apps that keep messages themselves.
   * Codes: 20016 the recall window has passed; 20022 no such message, or not this account's; 20023 it was recalled before;
   * 2110 it was never sent.
   */
  revokeMessage(message: {
    readonly ID: string;
    readonly conversationID: string;
  }): Promise<Answer<{ message: Message }>>;
  /**
   * Makes `payload`, `elements` and `cloudCustomData` of a message that this account sent, as they were changed in the
   * object, true for everyone. On failure they are set back.
   */
  modifyMessage<P>(message: Message<P>): Promise<Answer<{ message: Message<P> }>>;
  /** From this account's own history. Messages of one conversation. */
  deleteMessage(messageList: Message[]): Promise<Answer<{ messageList: Message[] }>>;
  /** A page of at most 15 messages, the newest first page. */
  getMessageList(options: {
    conversationID: string;
    /** Of the page before. */
    nextReqMessageID?: string;
    /** 15 at most, and by default. */
    count?: number;
  }): Promise<Answer<MessagePage>>;
  /** A page of messages of `time` and before. */
  getMessageListHopping(options: {
    conversationID: string;
    /** Seconds since 1970; the newest messages without it. */
    time?: number;
    /** Groups only: rejected. */
    sequence?: number;
    /** 0, older, is the only one. */
    direction?: 0;
    count?: number;
  }): Promise<Answer<{ messageList: Message[]; nextMessageTime: number; isCompleted: boolean }>>;
  /** Acknowledges received messages that want it, of one conversation. Changes no unread count. */
  sendMessageReadReceipt(messageList: Message[]): Promise<Answer<{ messageList: Message[] }>>;
  /** Those of the list that this account sent, with `readReceiptInfo`. */
  getMessageReadReceiptList(messageList: Message[]): Promise<Answer<{ messageList: Message[] }>>;
  /** A message that this instance holds. */
  findMessage(messageID: string): Message | null;

  /** Everything in a conversation. The other account gets MESSAGE_READ_BY_PEER. */
  setMessageRead(options: { conversationID: string }): Promise<Answer<{ conversationID: string }>>;
  /** Everything. `scope` is one of `TYPES.READ_ALL_*`; with READ_ALL_GROUP_MSG there is nothing to do. */
  setAllMessageRead(options?: { scope?: string }): Promise<Answer<Nothing>>;
  /** All, pinned ones first, then the newest first; those with the given IDs; or those that a filter lets pass. */
  getConversationList(
    options?: string[] | ConversationFilter,
  ): Promise<Answer<{ conversationList: Conversation[]; isSyncCompleted: boolean }>>;
  /** One conversation; one that does not exist yet is put into the list of this instance. Codes: 20003 no such account. */
  getConversationProfile(conversationID: string): Promise<Answer<{ conversation: Conversation }>>;
  /** From this account's list; its history, too, unless `clearHistoryMessage` is false. */
  deleteConversation(conversationID: string): Promise<Answer<{ conversationID: string }>>;
  deleteConversation(options: {
    conversationIDList: string[];
    clearHistoryMessage?: boolean;
  }): Promise<Answer<{ conversationIDList: string[] }>>;
  /** This account's history of one conversation. */
  clearHistoryMessage(conversationID: string): Promise<Answer<{ conversationID: string }>>;
  /** In this instance alone, until `logout`. */
  pinConversation(options: { conversationID: string; isPinned: boolean }): Promise<Answer<{ conversationID: string }>>;
  /** In this instance alone, until `logout`. */
  setConversationDraft(options: {
    conversationID: string;
    draftText: string;
  }): Promise<Answer<{ conversationID: string }>>;
  getTotalUnreadMessageCount(): number;

  getMyProfile(): Promise<Answer<Profile>>;
  /** Who is no account is left out. */
  getUserProfile(options: { userIDList: string[] }): Promise<Answer<Profile[]>>;
  updateMyProfile(options: { nick?: string; avatar?: string }): Promise<Answer<Profile>>;
  getUserStatus(options: {
    userIDList: string[];
  }): Promise<Answer<{ successUserList: UserStatus[]; failureUserList: UserFailure[] }>>;
  /** User IDs whose messages this account does not want. */
  getBlacklist(): Promise<Answer<string[]>>;
  /** The list as it is then. Who cannot be put on it is not on it. */
  addToBlacklist(options: { userIDList: string[] }): Promise<Answer<string[]>>;
  removeFromBlacklist(options: { userIDList: string[] }): Promise<Answer<string[]>>;
}
