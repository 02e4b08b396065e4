// Elements as they travel (`MsgType`, `MsgContent`) and payloads as applications see them. What a payload does not name
// stays in the element: nothing that somebody else wrote is lost by a modification.

import { TYPES } from '../types.js';

/** For each type: the field of the payload, and the one of the element. */
const FIELDS = {
  [TYPES.MSG_TEXT]: { text: 'Text' },
  [TYPES.MSG_CUSTOM]: { data: 'Data', description: 'Desc', extension: 'Ext' },
  [TYPES.MSG_FACE]: { index: 'Index', data: 'Data' },
  [TYPES.MSG_LOCATION]: { description: 'Desc', latitude: 'Latitude', longitude: 'Longitude' },
  [TYPES.MSG_IMAGE]: { uuid: 'UUID', imageFormat: 'ImageFormat', imageInfoArray: 'ImageInfoArray' },
  [TYPES.MSG_AUDIO]: { uuid: 'UUID', url: 'Url', size: 'Size', second: 'Second' },
  [TYPES.MSG_VIDEO]: {
    videoFormat: 'VideoFormat',
    videoSecond: 'VideoSecond',
    videoSize: 'VideoSize',
    videoUrl: 'VideoUrl',
    videoUUID: 'VideoUUID',
    snapshotWidth: 'ThumbWidth',
    snapshotHeight: 'ThumbHeight',
    snapshotUrl: 'ThumbUrl',
  },
  [TYPES.MSG_FILE]: { uuid: 'UUID', fileName: 'FileName', fileUrl: 'Url', fileSize: 'FileSize' },
};

const IMAGE_FIELDS = { width: 'Width', height: 'Height', url: 'URL', size: 'Size', type: 'Type' };
/** Sizes of an image: original, large, thumbnail are 1, 2, 3 on the wire and 0, 2, 1 for applications. */
const IMAGE_TYPE_OF = { 1: 0, 2: 2, 3: 1 };
const IMAGE_TYPE_TO = { 0: 1, 2: 2, 1: 3 };

/** What stands for a message in a list of conversations, where it is no text. */
const SHOWN = {
  [TYPES.MSG_CUSTOM]: '[custom message]',
  [TYPES.MSG_FACE]: '[face]',
  [TYPES.MSG_LOCATION]: '[location]',
  [TYPES.MSG_IMAGE]: '[image]',
  [TYPES.MSG_AUDIO]: '[audio]',
  [TYPES.MSG_VIDEO]: '[video]',
  [TYPES.MSG_FILE]: '[file]',
  [TYPES.MSG_MERGER]: '[merged messages]',
};

export function payloadOf({ MsgType, MsgContent = {} }) {
  const fields = FIELDS[MsgType];
  if (!fields) return { ...MsgContent };
  const payload = renamed(MsgContent, Object.entries(fields), 1, 0);
  if (MsgType === TYPES.MSG_IMAGE) payload.imageInfoArray = (payload.imageInfoArray ?? []).map(imageOf);
  return payload;
}

/** `before` is the element that the payload was made of, if it was. */
export function elementOf(MsgType, payload, before = {}) {
  const fields = FIELDS[MsgType];
  if (!fields) return { MsgType, MsgContent: { ...payload } };
  const MsgContent = { ...before.MsgContent, ...renamed(payload, Object.entries(fields), 0, 1) };
  if (MsgType === TYPES.MSG_IMAGE) MsgContent.ImageInfoArray = (payload.imageInfoArray ?? []).map(imageTo);
  return { MsgType, MsgContent };
}

/** One line for a list of conversations. */
export function shown(type, payload, isRevoked) {
  if (isRevoked) return '[recalled]';
  if (type === TYPES.MSG_TEXT) return payload.text ?? '';
  return SHOWN[type] ?? (type === '' ? '' : '[message]');
}

function imageOf(image) {
  const result = renamed(image, Object.entries(IMAGE_FIELDS), 1, 0);
  return 'type' in result ? { ...result, type: IMAGE_TYPE_OF[result.type] ?? result.type } : result;
}

function imageTo(image) {
  const result = renamed(image, Object.entries(IMAGE_FIELDS), 0, 1);
  return 'Type' in result ? { ...result, Type: IMAGE_TYPE_TO[result.Type] ?? result.Type } : result;
}

function renamed(object, pairs, from, to) {
  const result = {};
  for (const pair of pairs) if (object[pair[from]] !== undefined) result[pair[to]] = object[pair[from]];
  return result;
}
