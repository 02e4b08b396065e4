// A gateway and a clock without I/O, for tests of what the SDK does with frames and with time.

import { Chat } from '../../src/chat.js';
import { EVENT } from '../../src/types.js';

export const NOW_S = 1_795_421_000;

/** A clock that stands until it is moved. */
export class DoubleClock {
  #now_ms = NOW_S * 1000;
  #timers = [];
  #next = 1;

  now_ms = () => this.#now_ms;
  random = () => 0.5;
  random32 = () => 4_080_000 + this.#next++;
  setTimer = (call, ms) => {
    const timer = { call, at_ms: this.#now_ms + ms };
    this.#timers.push(timer);
    return timer;
  };
  clearTimer = (timer) => {
    this.#timers = this.#timers.filter((one) => one !== timer);
  };

  /** Lets time pass, timer by timer. */
  async pass(ms) {
    const end_ms = this.#now_ms + ms;
    for (;;) {
      await settled();
      const due = this.#timers.filter(({ at_ms }) => at_ms <= end_ms).sort((a, b) => a.at_ms - b.at_ms)[0];
      if (!due) break;
      this.#now_ms = Math.max(this.#now_ms, due.at_ms);
      this.clearTimer(due);
      due.call();
    }
    this.#now_ms = end_ms;
    await settled();
  }
}

/** Everything that follows from what has happened is done. */
export function settled() {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

/** Answers requests from `answers` (data, or an error as `{code, info}`); those set to `null` are left open. */
export class DoubleGateway {
  sockets = [];
  requests = [];
  answers = {
    login: () => ({
      session: 's_1',
      account_number: '100',
      cursor: 'e-0-0',
      reload: true,
      unread: 0,
      time_ms: NOW_S * 1000,
      recall_window_s: 120,
      nick: 'Me',
      face_url: '',
    }),
    conversations: () => ({ number: 0, unread: 0, conversations: [] }),
    history: () => ({ messages: [], complete: true }),
    heartbeat: () => ({ time_ms: NOW_S * 1000 }),
    logout: () => ({}),
  };
  /** Whether new connections open. */
  isUp = true;

  get WebSocket() {
    const gateway = this;
    return class {
      constructor(url) {
        this.url = url;
        gateway.sockets.push(this);
        queueMicrotask(() => (gateway.isUp ? this.onopen() : this.onclose({ code: 1006 })));
      }

      send(frame) {
        gateway.#take(this, JSON.parse(frame));
      }

      close() {
        this.isClosed = true;
      }
    };
  }

  get socket() {
    return this.sockets.at(-1);
  }

  push(push, data) {
    this.#say(this.socket, { push, data });
  }

  answer(request, data) {
    this.#say(this.socket, { id: request.id, code: 0, data });
  }

  break(code = 1006) {
    this.socket.onclose({ code });
  }

  named(name) {
    return this.requests.filter(({ request }) => request === name);
  }

  #take(socket, frame) {
    this.requests.push(frame);
    const make = this.answers[frame.request];
    if (make === null) return;
    const made = make ? make(frame.data) : {};
    if (made === null) return;
    queueMicrotask(() => {
      const { code = 0, info } = made;
      this.#say(socket, code === 0 ? { id: frame.id, code, data: made } : { id: frame.id, code, info });
    });
  }

  #say(socket, frame) {
    if (!socket.isClosed) socket.onmessage({ data: JSON.stringify(frame) });
  }
}

/** A logged-in instance on a double, and all that it raised. */
export async function loggedIn(change = () => {}) {
  const gateway = new DoubleGateway();
  const clock = new DoubleClock();
  change(gateway);
  const chat = new Chat({ SDKAppID: 1, server: 'ws://double', WebSocket: gateway.WebSocket }, clock);
  chat.setLogLevel(4);
  const events = listen(chat);
  await chat.login({ userID: 'me', userSig: 'sig' });
  return { chat, gateway, clock, events };
}

/** All events of an instance in their order, each with a copy of its data. */
export function listen(chat) {
  const events = [];
  for (const name of Object.values(EVENT)) {
    chat.on(name, (event) => events.push({ name: event.name, data: structuredClone(event.data), live: event.data }));
  }
  events.names = () => events.map(({ name }) => name);
  events.of = (name) => events.filter((event) => event.name === name);
  return events;
}

/** A message as the gateway writes it; from `you` unless something else is said. */
export function wireMessage(position, more = {}) {
  const time_s = NOW_S + position;
  const from = more.from ?? 'you';
  return {
    from,
    to: from === 'me' ? 'you' : 'me',
    msg_key: `${position}_${position}_${time_s}`,
    msg_id: `${from === 'me' ? 100 : 200}-${time_s}-${position}`,
    position,
    client_time_s: time_s,
    body: [{ MsgType: 'TIMTextElem', MsgContent: { Text: `text ${position}` } }],
    types: 'TIMTextElem',
    ...more,
  };
}

export function tombstone(message, recalled_by = message.from) {
  return { ...message, body: [], recalled_by };
}

/** A conversation with `you` as the gateway writes it. */
export function wireConversation(last_message, more = {}) {
  const time_s = last_message ? Number(last_message.msg_key.split('_')[2]) : 0;
  return {
    peer: 'you',
    nick: 'You',
    face_url: '',
    unread: 0,
    read_position: 0,
    peer_read_position: 0,
    time_s,
    ...(last_message && { last_message }),
    ...more,
  };
}

/** A push `updates`: each update is `[number, kind, fields]`. */
export function wireUpdates(list, { conversations = [], unread = 0, number } = {}) {
  const updates = list.map(([one, kind, fields]) => ({ number: one, kind, ...fields }));
  const last = number ?? updates.at(-1)?.number ?? 0;
  return { cursor: `e-0-${last}`, number: last, unread, updates, conversations };
}
