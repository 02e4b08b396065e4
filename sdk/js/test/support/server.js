// The real server program, on loopback, with its own folder; and instances of the SDK that are logged in to it. Where
// UNSAID_TEST_SERVERS is 2 and they share a store in PostgreSQL, there are two of it, and whoever asks gets to one after the other.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Chat, EVENT, TYPES } from '../../src/index.js';
import { Database } from './database.js';
import { userSig as signed } from './usersig.js';

const SDKAPPID = 1400000001;
const SECRET_KEY = '0123456789abcdef'.repeat(4);
/** How many share a store that can be shared. */
const SERVERS = Number(process.env.UNSAID_TEST_SERVERS ?? 1);
/** How long anything that is waited for may take. */
const PATIENCE_MS = 10_000;

/** What to pass to `test` as options: these tests need the program. */
export const withServer = {
  skip: process.env.UNSAID_BIN
    ? false
    : 'set UNSAID_BIN to the server program (cargo build makes target/debug/unsaid) to run the tests against it',
};

export class Server {
  #folder;
  #settings;
  #database = Database.ifWanted();
  #members = Array.from({ length: this.#database ? SERVERS : 1 }, () => ({ child: null, address: '127.0.0.1:0' }));
  #asked = 0;

  /** A running server; stopped when the test ends. `settings`: more lines for its app. */
  static async start(t, settings = '') {
    const server = new Server();
    server.#folder = await mkdtemp(join(tmpdir(), 'unsaid-sdk-'));
    server.#settings = settings;
    t.after(() => server.#remove());
    await server.run();
    return server;
  }

  /** Of one of them, by turns. */
  get address() {
    const { address } = this.#members[this.#asked % this.#members.length];
    this.#asked += 1;
    return address;
  }

  get ws() {
    return `ws://${this.address}/ws`;
  }

  /** Starts the program, on the address that it had if it ran before. */
  async run() {
    for (const [number, member] of this.#members.entries()) {
      const config = join(this.#folder, `unsaid-${number}.toml`);
      await writeFile(
        config,
        `listen = "${member.address}"\ndata_dir = "data/${number}"\n\n[[apps]]\nsdkappid = ${SDKAPPID}\n` +
          `secret_key = "${SECRET_KEY}"\nadmins = ["administrator"]\n${this.#settings}\n`,
      );
      const args = ['serve', '--set', 'log_format=json', '--config', config];
      const store = this.#database ? { UNSAID_STORE: this.#database.url } : {};
      if (this.#database && process.env.UNSAID_TEST_BUS) store.UNSAID_BUS = process.env.UNSAID_TEST_BUS;
      const env = { ...process.env, ...store };
      member.child = spawn(process.env.UNSAID_BIN, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
      member.address = await readyAddress(member.child);
    }
  }

  /** SIGKILL, and until it is gone. */
  async kill() {
    for (const { child } of this.#members) {
      if (child === null || child.exitCode !== null || child.signalCode !== null) continue;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    }
  }

  /** Nothing is left of what was stored. */
  async forget() {
    await rm(join(this.#folder, 'data'), { recursive: true });
    this.#database?.drop();
    this.#database?.make();
  }

  /** The REST API, as the admin. Fails if the command does. */
  async rest(command, body) {
    const sig = userSig('administrator');
    const query = `sdkappid=${SDKAPPID}&identifier=administrator&usersig=${encodeURIComponent(sig)}&random=1&contenttype=json`;
    const answer = await fetch(`http://${this.address}/v4/${command}?${query}`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    const read = await answer.json();
    assert.equal(read.ErrorCode, 0, `${command}: ${read.ErrorInfo}`);
    return read;
  }

  /** Accounts that are there before anybody logs in. */
  async accounts(...users) {
    for (const UserID of users) await this.rest('im_open_login_svc/account_import', { UserID });
  }

  async #remove() {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
    this.#database?.drop();
  }
}

async function readyAddress(child) {
  const said = [];
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: child.stderr });
    lines.on('line', (line) => {
      // Whoever writes a log has to have a reader, to the end.
      said.push(line);
      const event = line.startsWith('{') ? JSON.parse(line) : {};
      if (event.message === 'Unsaid is ready') resolve(event.address);
    });
    child.once('exit', () => reject(new Error(`the server ended before it was ready:\n${said.join('\n')}`)));
  });
}

/** A UserSig of the app that the server has. */
export const userSig = (user, expire_s, now_s) => signed(SDKAPPID, SECRET_KEY, user, expire_s, now_s);

/** One device of a user: an instance of the SDK, and everything that it raised, in order. */
export class Device {
  events = [];
  #waiting = new Set();

  /** Logged in; logged out when the test ends. */
  static async login(t, server, user, options = {}) {
    const device = new Device(t, server, options);
    await device.chat.login({ userID: user, userSig: userSig(user) });
    return device;
  }

  constructor(t, server, options) {
    this.chat = new Chat({ SDKAppID: SDKAPPID, server: server.ws, ...options });
    for (const name of Object.values(EVENT)) this.chat.on(name, (event) => this.#raised(event));
    t.after(() => this.chat.destroy());
  }

  of(name) {
    return this.events.filter((event) => event.name === name);
  }

  /** Messages of all events of this name, in their order. */
  messages(name) {
    return this.of(name).flatMap(({ data }) => data);
  }

  /** Waits until `condition` gives something, looking after every event. */
  async until(what, condition) {
    const timeout = Promise.withResolvers?.() ?? withResolvers();
    const timer = setTimeout(() => timeout.reject(new Error(`${what}: not within ${PATIENCE_MS} ms`)), PATIENCE_MS);
    try {
      for (;;) {
        const found = condition();
        if (found) return found;
        const next = new Promise((resolve) => this.#waiting.add(resolve));
        await Promise.race([next, timeout.promise]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits for an event of this name, and gives its data. */
  async event(name, matches = () => true) {
    const found = await this.until(name, () => this.of(name).find(({ data }) => matches(data)));
    return found.data;
  }

  /** Waits for a message with this text. */
  async received(text) {
    return this.until(`"${text}"`, () =>
      this.messages(EVENT.MESSAGE_RECEIVED).find(({ payload }) => payload.text === text),
    );
  }

  text(to, text, more = {}) {
    return this.chat.createTextMessage({ to, conversationType: TYPES.CONV_C2C, payload: { text }, ...more });
  }

  async say(to, text, more) {
    const { data } = await this.chat.sendMessage(this.text(to, text, more));
    return data.message;
  }

  #raised(event) {
    this.events.push(event);
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }
}

function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}
