/** An element, as the REST API writes it. `MsgContent` is carried unchanged. */
export interface MessageElement {
  MsgType: string;
  MsgContent: Record<string, unknown>;
}

export type TextPayload = {
  text: string;
};

export type CustomPayload = {
  data: string;
  description: string;
  extension: string;
};

export type FacePayload = {
  index: number;
  data: string;
};

export type LocationPayload = {
  description: string;
  latitude: number;
  longitude: number;
};

export type ImagePayload = {
  uuid?: string;
  /** 1 JPG, 2 GIF, 3 PNG, 4 BMP, 255 other. */
  imageFormat?: number;
  imageInfoArray: ImageInfo[];
};

export type ImageInfo = {
  url: string;
  width?: number;
  height?: number;
  /** Bytes. */
  size?: number;
  /** 0 original, 1 thumbnail, 2 large. */
  type?: number;
};

export type AudioPayload = {
  url: string;
  uuid?: string;
  /** Bytes. */
  size?: number;
  /** Length in seconds. */
  second?: number;
};

export type VideoPayload = {
  videoUrl: string;
  videoUUID?: string;
  videoFormat?: string;
  /** Length in seconds. */
  videoSecond?: number;
  /** Bytes. */
  videoSize?: number;
  snapshotUrl?: string;
  snapshotWidth?: number;
  snapshotHeight?: number;
};

export type FilePayload = {
  fileUrl: string;
  fileName?: string;
  uuid?: string;
  /** Bytes. */
  fileSize?: number;
};

interface PayloadByType {
  TIMTextElem: TextPayload;
  TIMCustomElem: CustomPayload;
  TIMFaceElem: FacePayload;
  TIMLocationElem: LocationPayload;
  TIMImageElem: ImagePayload;
  TIMSoundElem: AudioPayload;
  TIMVideoFileElem: VideoPayload;
  TIMFileElem: FilePayload;
}

/** Types whose payload is known; other elements have their `MsgContent` as payload. */
export type KnownType = keyof PayloadByType;

/** The payload of a type: `PayloadOf<'TIMTextElem'>` is `{text: string}`. */
export type PayloadOf<T extends KnownType> = PayloadByType[T];

/** Any payload: `type` of the message tells which. A tombstone has an empty one. */
export type Payload = Partial<
  TextPayload & CustomPayload & FacePayload & LocationPayload & ImagePayload & AudioPayload & VideoPayload & FilePayload
> &
  Record<string, unknown>;

/**
 * A message. In an instance there is one object for each message: what happens to it changes the object that you hold.
 */
export interface Message<P = Payload> {
  /** Made by the sender before sending; the same everywhere, and `MsgId` of the REST API. */
  readonly ID: string;
  /** The type of the first element: one of `TYPES.MSG_*`. It stays when the message is recalled. */
  type: string;
  /** What the first element says; `{}` once the message is recalled. Change it, then call `modifyMessage`. */
  payload: P;
  /** All elements, as the REST API writes them; `[]` once it is recalled. The first one is what `payload` says. */
  elements: MessageElement[];
  /** `C2C` and the other account's user ID. */
  readonly conversationID: string;
  readonly conversationType: 'C2C';
  readonly from: string;
  readonly to: string;
  /** `out`: sent by this account, from whatever device. */
  readonly flow: 'in' | 'out';
  /** Seconds since 1970: the server's, and before it was sent an estimate of it. */
  readonly time: number;
  /** Seconds since 1970, by the sender: part of `ID`. */
  readonly clientTime: number;
  readonly random: number;
  /** The sender's number. Not unique, and nothing to sort by. */
  readonly sequence: number;
  /** `unSend` until the server has answered. A `fail` can be given to `resendMessage`. */
  readonly status: 'unSend' | 'success' | 'fail';
  readonly isRevoked: boolean;
  /** Who recalled it; `''` if it is not recalled. */
  readonly revoker: string;
  readonly revokerInfo: UserInfo;
  /** Always `''`. */
  readonly revokeReason: string;
  /** Removed from this account's history. */
  readonly isDeleted: boolean;
  readonly isModified: boolean;
  /** The other account has read it. */
  readonly isPeerRead: boolean;
  readonly needReadReceipt: boolean;
  readonly readReceiptInfo: ReadReceiptInfo;
  /** The sender's name, as this instance knows it; `''` if it does not. */
  readonly nick: string;
  readonly avatar: string;
  /** Whatever the app wants to travel with the message. Change it, then call `modifyMessage`. */
  cloudCustomData: string;
  readonly isSupportExtension: boolean;
  readonly hasRiskContent: boolean;
  readonly priority: string;
  readonly nameCard: string;
  readonly atUserList: string[];
  readonly isBroadcastMessage: boolean;
}

export interface UserInfo {
  userID: string;
  nick: string;
  avatar: string;
}

export interface ReadReceiptInfo {
  isPeerRead: boolean;
  /** Seconds since 1970; 0 where the receipt came before this instance logged in. */
  timestamp: number;
}

export interface MessageOptions {
  /** The receiver's user ID. */
  to: string;
  /** `TYPES.CONV_C2C`, which is the default. */
  conversationType?: string;
  priority?: string;
  cloudCustomData?: string;
  /** The sender wants MESSAGE_READ_RECEIPT_RECEIVED. */
  needReadReceipt?: boolean;
  isSupportExtension?: boolean;
}

export interface PayloadOptions<P> extends MessageOptions {
  payload: P;
}

export interface ElementOptions extends MessageOptions {
  /** At least one. */
  elements: MessageElement[];
}

export interface SendOptions {
  /** Whoever is online gets it now; it is stored nowhere, counts nowhere, and cannot be recalled. */
  onlineUserOnly?: boolean;
  /** Not together with `onlineUserOnly`. */
  messageControlInfo?: {
    excludedFromUnreadCount?: boolean;
    excludedFromLastMessage?: boolean;
    /** Without effect: Unsaid moderates nothing. */
    excludedFromContentModeration?: boolean;
  };
  /** Kept with the message. Unsaid pushes nothing to phones. */
  offlinePushInfo?: {
    disablePush?: boolean;
    disableVoipPush?: boolean;
    title?: string;
    description?: string;
    extension?: string;
    androidInfo?: Record<string, unknown>;
    apnsInfo?: Record<string, unknown>;
  };
}

export interface MessageReadReceipt {
  /** Who has read it. */
  userID: string;
  messageID: string;
  isPeerRead: boolean;
  groupID: string;
  readCount: number;
  unreadCount: number;
}
