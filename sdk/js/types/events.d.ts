import type { Conversation, Profile } from './conversation.js';
import type { EVENT } from './enums.js';
import type { Message, MessageReadReceipt } from './message.js';

interface EventData {
  sdkStateReady: Record<string, never>;
  sdkStateNotReady: Record<string, never>;
  onMessageReceived: Message[];
  onMessageModified: Message[];
  onMessageRevoked: Message[];
  onMessageReadByPeer: Message[];
  onMessageReadReceiptReceived: MessageReadReceipt[];
  onConversationListUpdated: Conversation[];
  onTotalUnreadMessageCountUpdated: number;
  onProfileUpdated: Profile[];
  blacklistUpdated: string[];
  kickedOut: KickedOut;
  error: { code: number; message: string };
  netStateChange: { state: 'connected' | 'connecting' | 'disconnected' };
}

export interface KickedOut {
  /** One of `TYPES.KICKED_OUT_*`. */
  type: string;
  /** The server's word: `other_login`, `app_backend`, `user_sig_expired` or `app_disabled`. */
  reason: string;
}

/** Any value of `EVENT`. */
export type EventName = (typeof EVENT)[keyof typeof EVENT];

/** What a handler of `E` is called with. */
export interface ChatEvent<E extends EventName> {
  name: E;
  data: E extends keyof EventData ? EventData[E] : never;
}
