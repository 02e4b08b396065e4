// Payloads and elements.

import assert from 'node:assert/strict';
import test from 'node:test';
import { elementOf, payloadOf, shown } from '../src/model/elements.js';

const PAIRS = [
  ['TIMTextElem', { text: 'hi' }, { Text: 'hi' }],
  ['TIMCustomElem', { data: 'd', description: 'e', extension: 'f' }, { Data: 'd', Desc: 'e', Ext: 'f' }],
  ['TIMFaceElem', { index: 0, data: 'cat' }, { Index: 0, Data: 'cat' }],
  [
    'TIMLocationElem',
    { description: 'pier', latitude: 1.5, longitude: -2 },
    { Desc: 'pier', Latitude: 1.5, Longitude: -2 },
  ],
  [
    'TIMImageElem',
    {
      uuid: 'u',
      imageFormat: 3,
      imageInfoArray: [0, 2, 1].map((type) => ({ width: 4, height: 5, url: 'https://x/1', size: 6, type })),
    },
    {
      UUID: 'u',
      ImageFormat: 3,
      ImageInfoArray: [1, 2, 3].map((Type) => ({ Width: 4, Height: 5, URL: 'https://x/1', Size: 6, Type })),
    },
  ],
  [
    'TIMSoundElem',
    { uuid: 'u', url: 'https://x', size: 1, second: 2 },
    { UUID: 'u', Url: 'https://x', Size: 1, Second: 2 },
  ],
  [
    'TIMFileElem',
    { uuid: 'u', fileName: 'n', fileUrl: 'https://x', fileSize: 9 },
    { UUID: 'u', FileName: 'n', Url: 'https://x', FileSize: 9 },
  ],
  [
    'TIMVideoFileElem',
    {
      videoFormat: 'mp4',
      videoSecond: 1,
      videoSize: 2,
      videoUrl: 'v',
      videoUUID: 'w',
      snapshotWidth: 3,
      snapshotHeight: 4,
      snapshotUrl: 's',
    },
    {
      VideoFormat: 'mp4',
      VideoSecond: 1,
      VideoSize: 2,
      VideoUrl: 'v',
      VideoUUID: 'w',
      ThumbWidth: 3,
      ThumbHeight: 4,
      ThumbUrl: 's',
    },
  ],
  ['TIMRelayElem', { Title: 'kept' }, { Title: 'kept' }],
];

for (const [MsgType, payload, MsgContent] of PAIRS) {
  test(`${MsgType} is the same there and back`, () => {
    assert.deepEqual(payloadOf({ MsgType, MsgContent }), payload);
    assert.deepEqual(elementOf(MsgType, payload), { MsgType, MsgContent });
  });
}

test('what a payload does not name stays in its element', () => {
  const before = { MsgType: 'TIMCustomElem', MsgContent: { Data: 'a', Desc: '', Ext: '', Sound: 'bell.wav' } };
  const changed = elementOf('TIMCustomElem', { ...payloadOf(before), data: 'b' }, before);
  assert.deepEqual(changed.MsgContent, { Data: 'b', Desc: '', Ext: '', Sound: 'bell.wav' });
});

test('a line for the list', () => {
  const check = (type, payload, isRevoked, expected) => assert.equal(shown(type, payload, isRevoked), expected);
  check('TIMTextElem', { text: 'hi' }, false, 'hi');
  check('TIMTextElem', {}, true, '[recalled]');
  check('TIMImageElem', {}, false, '[image]');
  check('TIMOtherElem', {}, false, '[message]');
  check('', {}, false, '');
});
