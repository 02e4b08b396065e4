// The package as others get it: packed, installed in an empty project, imported, compiled against, and run.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Server, withServer } from './support/server.js';

const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
const TSC = join(PACKAGE, 'node_modules/typescript/bin/tsc');
const run = promisify(execFile);

/** An empty project with the packed SDK in it, and `more` packages. */
async function project(t, more = []) {
  const folder = await mkdtemp(join(tmpdir(), 'unsaid-chat-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: PACKAGE });
  const [{ filename, files }] = JSON.parse(stdout);
  await writeFile(join(folder, 'package.json'), '{"name":"empty","private":true,"type":"module"}');
  await run(
    'npm',
    ['install', '--offline', '--no-audit', '--no-fund', '--install-links', join(folder, filename), ...more],
    { cwd: folder },
  );
  return { folder, files: files.map(({ path }) => path) };
}

async function compile(folder, program, options) {
  await writeFile(join(folder, 'program.ts'), program);
  const args = [
    TSC,
    '--noEmit',
    '--strict',
    '--exactOptionalPropertyTypes',
    '--target',
    'es2022',
    ...options,
    'program.ts',
  ];
  return run(process.execPath, args, { cwd: folder }).then(
    () => '',
    ({ stdout }) => stdout,
  );
}

const RIGHT = `
import UnsaidChat, { Chat, ChatError, EVENT, TYPES, type Conversation, type Message } from 'unsaid-chat';
import type { ChatSDK } from 'unsaid-chat';

const chat: ChatSDK = UnsaidChat.create({ SDKAppID: 1400000001, server: 'ws://127.0.0.1:8080/ws' });
const other: ChatSDK = new Chat({ SDKAppID: 1, proxyServer: 'ws://127.0.0.1:8080' });

chat.on(EVENT.MESSAGE_RECEIVED, ({ name, data }) => {
  const received: 'onMessageReceived' = name;
  for (const message of data) void [received, message.payload.text?.length, message.isRevoked];
});
chat.on(UnsaidChat.EVENT.KICKED_OUT, (event) => {
  if (event.data.type === TYPES.KICKED_OUT_MULT_ACCOUNT) void other.destroy();
});
chat.once(EVENT.TOTAL_UNREAD_MESSAGE_COUNT_UPDATED, ({ data }) => void data.toFixed());

async function main(): Promise<Conversation[]> {
  const { data: login } = await chat.login({ userID: 'jared', userSig: 'sig' });
  if (login.repeatLogin) return [];
  const message = chat.createTextMessage({ to: 'Jonh', conversationType: TYPES.CONV_C2C, payload: { text: 'hi' } });
  const { data } = await chat.sendMessage(message, { messageControlInfo: { excludedFromUnreadCount: true } });
  const text: string = data.message.payload.text;
  message.payload = { text: text + '!' };
  await chat.modifyMessage(message);
  await chat.deleteMessage([message]);
  const forwarded: Message = chat.createForwardMessage({ to: 'mary', payload: message });
  try {
    await chat.revokeMessage(forwarded);
    await chat.revokeMessage({ ID: message.ID, conversationID: message.conversationID });
  } catch (error) {
    if (error instanceof ChatError && error.code === 20016) void error.data.message?.isRevoked;
  }
  const page = await chat.getMessageList({ conversationID: 'C2CJonh' });
  await chat.sendMessageReadReceipt(page.data.messageList);
  await chat.deleteConversation('C2CJonh');
  const { data: list } = await chat.getConversationList({ hasUnreadCount: true });
  return list.conversationList;
}
void main();
`;

/** Each line has to be an error: results have types, and what is not here cannot be used. */
const WRONG = [
  `chat.sendMessage(message).then(({ data }) => data.mesage);`,
  `chat.getTotalUnreadMessageCount().then();`,
  `chat.createTextMessage({ to: 'Jonh', payload: { txt: 'hi' } });`,
  `chat.on(EVENT.MESSAGE_REVOKED, ({ data }) => data.isRevoked);`,
  `chat.on('onMessageRecieved', () => {});`,
  `chat.getConversationList().then(({ data }) => data.conversationList[0]!.lastMessage.text);`,
  `message.isRevoked = true;`,
  `chat.getGroupList().then((list: never) => list.length);`,
];

test('it is installed in an empty project, imported, and compiled against in strict mode', async (t) => {
  const { folder, files } = await project(t);
  assert.ok(files.includes('README.md') && files.includes('index.d.ts') && files.includes('src/index.js'));
  assert.deepEqual(
    files.filter((path) => /^(test|tools|node_modules|\.npmrc)/.test(path)),
    [],
  );
  const script = `import d, * as all from 'unsaid-chat';
    console.log(JSON.stringify([Object.keys(d), Object.keys(all), d.EVENT.SDK_READY]));`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: folder });
  assert.deepEqual(JSON.parse(stdout), [
    ['create', 'EVENT', 'TYPES'],
    ['CODE', 'Chat', 'ChatError', 'EVENT', 'TYPES', 'create', 'default'],
    'sdkStateReady',
  ]);
  const [node, bundler] = [
    ['--module', 'node16'],
    ['--module', 'esnext', '--moduleResolution', 'bundler', '--lib', 'es2022,dom'],
  ];
  for (const options of [node, bundler]) assert.equal(await compile(folder, RIGHT, options), '');
  const head = `import UnsaidChat, { EVENT } from 'unsaid-chat';
    const chat = UnsaidChat.create({ SDKAppID: 1, server: 'ws://127.0.0.1' });
    const message = chat.createTextMessage({ to: 'Jonh', payload: { text: 'hi' } });\n`;
  const said = await compile(folder, head + WRONG.join('\n'), node);
  const lines = new Set([...said.matchAll(/program\.ts\((\d+),/g)].map(([, line]) => Number(line) - 4));
  assert.deepEqual(
    [...lines].map((index) => WRONG[index]),
    WRONG,
    said,
  );
});

test(
  'without any WebSocket it says what to do',
  { skip: globalThis.WebSocket ? 'this Node has one' : false },
  async (t) => {
    const { folder } = await project(t);
    const script = `import d from 'unsaid-chat';
    const chat = d.create({ SDKAppID: 1, server: 'ws://127.0.0.1:1' });
    await chat.login({ userID: 'a', userSig: 'b' }).catch((error) => console.log(error.code, error.message));`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: folder });
    assert.match(stdout, /20001 .*npm install ws/);
  },
);

test('the quick start of the README works as it stands', withServer, async (t) => {
  const server = await Server.start(t);
  const { folder } = await project(t, [join(PACKAGE, 'node_modules/ws')]);
  const readme = await readFile(join(PACKAGE, 'README.md'), 'utf8');
  const [, program] = readme.match(/```js\n(\/\/ quickstart\.mjs[\s\S]*?)```/);
  await writeFile(join(folder, 'quickstart.mjs'), program);
  const env = { ...process.env, UNSAID: `http://${server.address}` };
  const { stdout } = await run(process.execPath, ['quickstart.mjs'], { cwd: folder, env, timeout: 20_000 });
  assert.deepEqual(stdout.trim().split('\n'), [
    'Jonh reads from jared: lunch at noon?',
    'Jonh sees that jared recalled it; what is left: {}',
  ]);
});
