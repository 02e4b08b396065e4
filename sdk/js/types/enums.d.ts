/** What `on` can be called with. Take the member, not its text. */
export declare const EVENT: {
  /** A login is complete: everything may be called from now on. */
  readonly SDK_READY: 'sdkStateReady';
  /** The login has ended: by `logout`, by a kick, or because the server refuses it. */
  readonly SDK_NOT_READY: 'sdkStateNotReady';
  /** New messages: of others, and of this account from other devices or by REST. Never what this instance has sent. */
  readonly MESSAGE_RECEIVED: 'onMessageReceived';
  /** Messages say something else. Raised in the instance that modified them, too. */
  readonly MESSAGE_MODIFIED: 'onMessageModified';
  /** Messages were recalled. Once for each message; never in the instance whose `revokeMessage` did it. */
  readonly MESSAGE_REVOKED: 'onMessageRevoked';
  /** The messages that became read by the other account just now. */
  readonly MESSAGE_READ_BY_PEER: 'onMessageReadByPeer';
  /** Receipts for messages that this account sent. */
  readonly MESSAGE_READ_RECEIPT_RECEIVED: 'onMessageReadReceiptReceived';
  /** The whole list, sorted, after a change of anything in it. */
  readonly CONVERSATION_LIST_UPDATED: 'onConversationListUpdated';
  readonly TOTAL_UNREAD_MESSAGE_COUNT_UPDATED: 'onTotalUnreadMessageCountUpdated';
  /** This account's profile, changed by this instance. */
  readonly PROFILE_UPDATED: 'onProfileUpdated';
  /** The whole blocklist, changed by this instance. */
  readonly BLACKLIST_UPDATED: 'blacklistUpdated';
  /** The login was ended by the server. SDK_NOT_READY follows, and nothing reconnects. */
  readonly KICKED_OUT: 'kickedOut';
  /** The server refuses to take a login back after a break. */
  readonly ERROR: 'error';
  readonly NET_STATE_CHANGE: 'netStateChange';
  /** Never raised, like all that follow: what they tell of is not part of Unsaid. */
  readonly USER_STATUS_UPDATED: 'onUserStatusUpdated';
  readonly MESSAGE_EXTENSIONS_UPDATED: 'onMessageExtensionsUpdated';
  readonly MESSAGE_EXTENSIONS_DELETED: 'onMessageExtensionsDeleted';
  readonly MESSAGE_REACTIONS_UPDATED: 'onMessageReactionsUpdated';
  readonly CONVERSATION_GROUP_LIST_UPDATED: 'onConversationGroupListUpdated';
  readonly CONVERSATION_IN_GROUP_UPDATED: 'onConversationInGroupUpdated';
  readonly FRIEND_LIST_UPDATED: 'onFriendListUpdated';
  readonly FRIEND_GROUP_LIST_UPDATED: 'onFriendGroupListUpdated';
  readonly FRIEND_APPLICATION_LIST_UPDATED: 'onFriendApplicationListUpdated';
  readonly ALL_RECEIVE_MESSAGE_OPT_UPDATED: 'onAllReceiveMessageOptUpdated';
  readonly ROOM_CUSTOM_DATA_RECEIVED: 'onRoomCustomDataReceived';
  readonly GROUP_LIST_UPDATED: 'onGroupListUpdated';
  readonly GROUP_ATTRIBUTES_UPDATED: 'groupAttributesUpdated';
  readonly GROUP_COUNTER_UPDATED: 'onGroupCounterUpdated';
  readonly TOPIC_CREATED: 'onTopicCreated';
  readonly TOPIC_DELETED: 'onTopicDeleted';
  readonly TOPIC_UPDATED: 'onTopicUpdated';
  readonly MY_FOLLOWERS_LIST_UPDATED: 'onMyFollowersListUpdated';
  readonly MY_FOLLOWING_LIST_UPDATED: 'onMyFollowingListUpdated';
  readonly MUTUAL_FOLLOWERS_LIST_UPDATED: 'onMutualFollowersListUpdated';
  readonly PINNED_GROUP_MESSAGE_UPDATED: 'onPinnedGroupMessageUpdated';
};

/** Values of fields and options. */
export declare const TYPES: {
  readonly CONV_C2C: 'C2C';
  readonly CONV_GROUP: 'GROUP';
  readonly CONV_TOPIC: 'TOPIC';
  readonly CONV_SYSTEM: '@TIM#SYSTEM';

  readonly MSG_TEXT: 'TIMTextElem';
  readonly MSG_CUSTOM: 'TIMCustomElem';
  readonly MSG_FACE: 'TIMFaceElem';
  readonly MSG_LOCATION: 'TIMLocationElem';
  readonly MSG_IMAGE: 'TIMImageElem';
  readonly MSG_AUDIO: 'TIMSoundElem';
  readonly MSG_SOUND: 'TIMSoundElem';
  readonly MSG_VIDEO: 'TIMVideoFileElem';
  readonly MSG_FILE: 'TIMFileElem';
  readonly MSG_MERGER: 'TIMRelayElem';
  readonly MSG_GRP_TIP: 'TIMGroupTipElem';
  readonly MSG_GRP_SYS_NOTICE: 'TIMGroupSystemNoticeElem';

  readonly MSG_PRIORITY_HIGH: 'High';
  readonly MSG_PRIORITY_NORMAL: 'Normal';
  readonly MSG_PRIORITY_LOW: 'Low';
  readonly MSG_PRIORITY_LOWEST: 'Lowest';

  readonly MSG_REMIND_ACPT_AND_NOTE: 'AcceptAndNotify';
  readonly MSG_REMIND_ACPT_NOT_NOTE: 'AcceptNotNotify';
  readonly MSG_REMIND_DISCARD: 'Discard';

  /** The account logged in elsewhere, on a device of the same platform. */
  readonly KICKED_OUT_MULT_ACCOUNT: 'multipleAccount';
  readonly KICKED_OUT_MULT_DEVICE: 'multipleDevice';
  readonly KICKED_OUT_USERSIG_EXPIRED: 'userSigExpired';
  /** The app backend ended the login, or the app was disabled. */
  readonly KICKED_OUT_REST_API: 'REST_API_Kick';

  readonly NET_STATE_CONNECTED: 'connected';
  readonly NET_STATE_CONNECTING: 'connecting';
  readonly NET_STATE_DISCONNECTED: 'disconnected';

  readonly READ_ALL_C2C_MSG: 'readAllC2CMessage';
  readonly READ_ALL_GROUP_MSG: 'readAllGroupMessage';
  readonly READ_ALL_MSG: 'readAllMessage';

  readonly USER_STATUS_UNKNOWN: 0;
  readonly USER_STATUS_ONLINE: 1;
  readonly USER_STATUS_OFFLINE: 2;
  readonly USER_STATUS_UNLOGINED: 3;

  readonly GENDER_UNKNOWN: 'Gender_Type_Unknown';
  readonly GENDER_FEMALE: 'Gender_Type_Female';
  readonly GENDER_MALE: 'Gender_Type_Male';
  readonly ALLOW_TYPE_ALLOW_ANY: 'AllowType_Type_AllowAny';
  readonly ALLOW_TYPE_NEED_CONFIRM: 'AllowType_Type_NeedConfirm';
  readonly ALLOW_TYPE_DENY_ANY: 'AllowType_Type_DenyAny';
  readonly FORBID_TYPE_NONE: 'AdminForbid_Type_None';
  readonly FORBID_TYPE_SEND_OUT: 'AdminForbid_Type_SendOut';

  readonly CONV_MARK_TYPE_STAR: 1;
  readonly CONV_MARK_TYPE_UNREAD: 2;
  readonly CONV_MARK_TYPE_FOLD: 4;
  readonly CONV_MARK_TYPE_HIDE: 8;

  readonly IOS_OFFLINE_PUSH_NO_SOUND: 'push.no_sound';
  readonly IOS_OFFLINE_PUSH_DEFAULT_SOUND: 'default';
};
