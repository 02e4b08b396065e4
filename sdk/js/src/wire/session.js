// A login, from its first connection to its end: logs in, brings the store into step, hands pushes to it and raises what
// they tell of, and comes back with session and cursor when the connection breaks. It never reconnects after a kick, and
// never remembers a cursor before what stands in front of it is applied.

import { ChatError, CODE } from '../errors.js';
import { EVENT, TYPES } from '../types.js';
import { gather, rebuild } from '../state/rebuild.js';
import { Backoff } from './backoff.js';
import { Connection, FRAME_BYTES_MAX, HEARTBEAT_ID } from './connection.js';
import { NEVER, Requests } from './requests.js';

/** An answer that takes longer is given up. For `send` and others that are repeated it includes the reconnecting. */
const ANSWER_MS = 60_000;
const LOGIN_MS = 15_000;
const LOGOUT_MS = 3_000;
/** The server asks for a pause before internal questions, at most so often. */
const PATIENT_TIMES = 20;

const KICK_TYPES = {
  other_login: TYPES.KICKED_OUT_MULT_ACCOUNT,
  app_backend: TYPES.KICKED_OUT_REST_API,
  app_disabled: TYPES.KICKED_OUT_REST_API,
  user_sig_expired: TYPES.KICKED_OUT_USERSIG_EXPIRED,
};
const CLOSED_AFTER_KICK = 4003;

export class Session {
  #setup;
  #clock;
  #store;
  #raise;
  #log;
  #requests = new Requests();
  #backoff = new Backoff();
  #connection = null;
  #WebSocket = null;
  #netState = TYPES.NET_STATE_DISCONNECTED;
  #pauseTimer;
  #offset_ms = 0;
  #connected_ms = 0;
  /** Who is logged in: { userID, userSig, session, cursor, resolve, reject }, or null. */
  #login = null;
  /** Whether the store holds what the server holds; until then pushes wait in the queue. */
  #inStep = false;
  #queue = [];

  constructor({ setup, clock, store, raise, log }) {
    this.#setup = setup;
    this.#clock = clock;
    this.#store = store;
    this.#raise = raise;
    this.#log = log;
  }

  get ready() {
    return this.#login !== null && this.#login.resolve === null;
  }

  get userID() {
    return this.#login?.userID ?? '';
  }

  get serverTime_ms() {
    return this.#clock.now_ms() + this.#offset_ms;
  }

  get serverTime_s() {
    return Math.floor(this.serverTime_ms / 1000);
  }

  /** Resolves when the store is in step and SDK_READY was raised. */
  async login(userID, userSig) {
    if (this.#login) {
      if (!this.ready) throw new ChatError(CODE.LOGIN_REPEATED, 'a login is under way: wait for its answer');
      if (this.#login.userID === userID) return { repeatLogin: true, errorInfo: `${userID} is logged in already` };
      throw new ChatError(CODE.LOGIN_REPEATED, `${this.#login.userID} is logged in: call logout first`);
    }
    const login = { userID, userSig, session: undefined, cursor: undefined };
    const done = new Promise((resolve, reject) => Object.assign(login, { resolve, reject }));
    const timer = this.#clock.setTimer(() => this.#failLogin(login, timeout('login', LOGIN_MS)), LOGIN_MS);
    this.#login = login;
    try {
      this.#WebSocket ??= await this.#setup.findWebSocket();
      if (this.#login === login) this.#connect();
    } catch (error) {
      this.#failLogin(login, error);
    }
    await done.finally(() => this.#clock.clearTimer(timer));
    return { repeatLogin: false, errorInfo: '' };
  }

  async logout() {
    const login = this.#login;
    if (!login) return;
    if (this.#netState === TYPES.NET_STATE_CONNECTED) {
      await this.#transmit('logout', undefined, LOGOUT_MS).catch((error) => this.#log.warn(`logout: ${error.message}`));
    }
    if (this.#login !== login) return;
    const error = new ChatError(CODE.NOT_LOGGED_IN, 'logged out meanwhile');
    if (!this.ready) return this.#failLogin(login, error);
    this.#end(error);
    this.#raise(EVENT.SDK_NOT_READY, {});
  }

  requireReady() {
    if (!this.#login) throw new ChatError(CODE.NOT_LOGGED_IN, 'not logged in: call login first');
    if (!this.ready) throw new ChatError(CODE.NOT_READY, 'not ready: wait for SDK_READY, or for the answer of login');
  }

  /** One request, one answer. Rejects at once while there is no connection. */
  async ask(request, data) {
    this.requireReady();
    if (this.#netState !== TYPES.NET_STATE_CONNECTED) {
      throw new ChatError(
        CODE.REQUEST_FAILED,
        'there is no connection: try again when NET_STATE_CHANGE says connected',
      );
    }
    return this.#transmit(request, data, ANSWER_MS);
  }

  /** A question of the SDK's own, which waits where an application would be told to slow down. */
  async askPatiently(request, data) {
    for (let times = 1; ; times++) {
      try {
        return await this.#transmit(request, data, ANSWER_MS, NEVER);
      } catch (error) {
        if (error.code !== 60007 || times === PATIENT_TIMES) throw error;
        await new Promise((resolve) => this.#clock.setTimer(resolve, 500));
      }
    }
  }

  /** The network is back, as the browser says: don't wait any longer. */
  hurry() {
    if (this.#pauseTimer === undefined) return;
    this.#clock.clearTimer(this.#pauseTimer);
    this.#connect();
  }

  #transmit(request, data, answer_ms, mayRepeat) {
    return new Promise((resolve, reject) => {
      this.#request(request, data, answer_ms, (error, answer) => (error ? reject(error) : resolve(answer)), mayRepeat);
    });
  }

  /** `settled(error, answer)` is called with the frame of the answer, before the next one is looked at. */
  #request(request, data, answer_ms, settled, mayRepeat) {
    let timer;
    const settle = (error, answer) => {
      this.#clock.clearTimer(timer);
      settled(error, answer);
    };
    const { id, frame } = this.#requests.add(request, data, this.#clock.now_ms(), settle, mayRepeat);
    const failed = (code, text) => this.#requests.fail(id, new ChatError(code, text));
    if (!this.#connection) return failed(CODE.REQUEST_FAILED, `there is no connection for ${request}`);
    if (new TextEncoder().encode(frame).length > FRAME_BYTES_MAX) {
      return failed(CODE.TOO_LONG, `${request} has more than ${FRAME_BYTES_MAX} bytes`);
    }
    timer = this.#clock.setTimer(() => this.#requests.fail(id, timeout(request, answer_ms)), answer_ms);
    this.#connection.send(frame);
  }

  #connect() {
    this.#pauseTimer = undefined;
    this.#setNetState(TYPES.NET_STATE_CONNECTING);
    const login = this.#login;
    if (!login) return;
    const ifCurrent = (call) => (argument) =>
      this.#login === login && this.#connection === connection && call(argument);
    const connection = new Connection({
      url: this.#setup.url,
      WebSocket: this.#WebSocket,
      clock: this.#clock,
      events: {
        opened: ifCurrent(() => this.#logIn(login)),
        frame: ifCurrent((frame) => this.#receivedSafely(frame)),
        ended: ifCurrent((code) => this.#broke(login, code)),
      },
    });
    this.#connection = connection;
  }

  #logIn(login) {
    const connection = this.#connection;
    const { userID, userSig, session, cursor } = login;
    const data = { sdkappid: this.#setup.sdkAppID, user_id: userID, user_sig: userSig, platform: this.#setup.platform };
    if (session !== undefined) Object.assign(data, { session, cursor });
    const sent_ms = this.#clock.now_ms();
    // No Promise: pushes may follow the answer at once, and have to find the state that it makes.
    this.#request('login', data, LOGIN_MS, (error, answer) => {
      if (this.#login !== login || this.#connection !== connection) return;
      if (!error) this.#loggedIn(login, answer, sent_ms);
      else if (!this.ready) this.#failLogin(login, error);
      else if (refusesForGood(error.code)) this.#refused(error);
      else connection.close();
    });
  }

  #loggedIn(login, answer, sent_ms) {
    const connection = this.#connection;
    this.#connected_ms = this.#clock.now_ms();
    // The server looked at its clock about half-way between.
    this.#offset_ms = answer.time_ms - (sent_ms + this.#connected_ms) / 2;
    this.#store.setSelf(login.userID, answer);
    this.#inStep = !answer.reload && login.cursor !== undefined;
    this.#queue = [];
    login.session = answer.session;
    // While the store is not in step a break has to lead to another reload.
    login.reachedCursor = answer.cursor;
    login.cursor = this.#inStep ? answer.cursor : undefined;
    // Before anybody hears that there is a connection, so that nothing new is sent twice.
    for (const frame of this.#requests.repeat(this.#clock.now_ms())) connection.send(frame);
    this.#setNetState(TYPES.NET_STATE_CONNECTED);
    if (!this.#inStep) this.#load(login, connection);
  }

  async #load(login, connection) {
    const isCurrent = () => this.#login === login && this.#connection === connection;
    try {
      const gathered = await gather(this.#store, (request, data) => this.askPatiently(request, data));
      if (isCurrent()) this.#nowInStep(login, rebuild(this.#store, gathered));
    } catch (error) {
      if (!isCurrent()) return;
      this.#log.error('the state could not be loaded', error);
      if (this.ready) connection.close();
      else this.#failLogin(login, error);
    }
  }

  #nowInStep(login, events) {
    const { resolve } = login;
    const queue = this.#queue;
    this.#queue = [];
    this.#inStep = true;
    this.#store.inStep_s = this.serverTime_s;
    login.cursor = login.reachedCursor;
    login.resolve = null;
    if (resolve) this.#raise(EVENT.SDK_READY, {});
    this.#raiseAll(events);
    for (const frame of queue) if (this.#login === login) this.#apply(frame);
    resolve?.();
  }

  /** A frame that cannot be applied is not passed over: it comes again on a new connection, since the cursor stays. */
  #receivedSafely(frame) {
    try {
      this.#received(frame);
    } catch (error) {
      this.#log.error('a frame could not be applied; connecting anew', error);
      this.#connection?.close();
    }
  }

  #received(frame) {
    if (this.#inStep) this.#store.inStep_s = this.serverTime_s;
    if (frame.id === HEARTBEAT_ID && frame.push === undefined) {
      return;
    }
    if (frame.id !== undefined) {
      if (!this.#requests.answer(frame)) this.#log.info(`nobody waits for the answer to request ${frame.id}`);
      return;
    }
    if (frame.push === 'updates' || frame.push === 'online') {
      if (this.#inStep) this.#apply(frame);
      else this.#queue.push(frame);
    } else if (frame.push === 'kicked') {
      this.#kicked(frame.data.reason);
    } else {
      this.#log.info(`the server says ${frame.push}`);
    }
  }

  #apply({ push, data }) {
    const events = push === 'online' ? this.#store.online(data) : this.#store.apply(data);
    if (push === 'updates') this.#login.cursor = data.cursor;
    this.#raiseAll(events);
  }

  #raiseAll(events) {
    const login = this.#login;
    for (const { name, data } of events) if (this.#login === login) this.#raise(name, data);
  }

  #broke(login, code) {
    this.#connection = null;
    if (code === CLOSED_AFTER_KICK) return this.#kicked('app_backend');
    if (!this.ready) {
      return this.#failLogin(
        login,
        new ChatError(CODE.REQUEST_FAILED, `no connection to ${this.#setup.url}: is it the gateway's address?`),
      );
    }
    this.#backoff.ended(this.#connected_ms ? this.#clock.now_ms() - this.#connected_ms : 0);
    this.#connected_ms = 0;
    this.#inStep = false;
    const pause_ms = this.#backoff.pause_ms(this.#clock.random());
    this.#log.info(`the connection ended (${code}): again in ${pause_ms} ms`);
    this.#pauseTimer = this.#clock.setTimer(() => this.#connect(), pause_ms);
    this.#requests.broke(this.#clock.now_ms());
    this.#setNetState(TYPES.NET_STATE_DISCONNECTED);
  }

  #kicked(reason) {
    const login = this.#login;
    const error = new ChatError(CODE.NOT_LOGGED_IN, `the login has ended: ${reason}`);
    if (!this.ready) return this.#failLogin(login, error);
    this.#end(error);
    this.#raise(EVENT.KICKED_OUT, { type: KICK_TYPES[reason] ?? TYPES.KICKED_OUT_REST_API, reason });
    this.#raise(EVENT.SDK_NOT_READY, {});
  }

  /** The server does not take this login back. */
  #refused(error) {
    if (error.code === 70001) return this.#kicked('user_sig_expired');
    if (error.code === CODE.OTHER_LOGIN) return this.#kicked('other_login');
    this.#end(error);
    this.#raise(EVENT.ERROR, { code: error.code, message: error.message });
    this.#raise(EVENT.SDK_NOT_READY, {});
  }

  #failLogin(login, error) {
    if (this.#login !== login || login.resolve === null) return;
    const { reject } = login;
    this.#end(error);
    reject(error);
  }

  #end(error) {
    this.#login = null;
    this.#inStep = false;
    this.#queue = [];
    this.#clock.clearTimer(this.#pauseTimer);
    this.#pauseTimer = undefined;
    const connection = this.#connection;
    this.#connection = null;
    connection?.close();
    this.#requests.failAll(error);
    this.#store.clear();
    this.#setNetState(TYPES.NET_STATE_DISCONNECTED);
  }

  #setNetState(state) {
    if (state === this.#netState) return;
    this.#netState = state;
    this.#raise(EVENT.NET_STATE_CHANGE, { state });
  }
}

function timeout(request, ms) {
  return new ChatError(CODE.REQUEST_TIMEOUT, `${request} was not answered within ${ms / 1000} s: try again`);
}

/** Codes that a later attempt would get as well; with the others it is worth trying. */
function refusesForGood(code) {
  const final = [CODE.OTHER_LOGIN, 60016, 60006, 20001];
  return (code >= 70001 && code <= 70020) || final.includes(code);
}
