// The pure parts of the connection: pauses, pace, what may be repeated, addresses.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Backoff } from '../src/wire/backoff.js';
import { Pace } from '../src/wire/pace.js';
import { Requests } from '../src/wire/requests.js';
import { gatewayUrl } from '../src/wire/websocket.js';

test('pauses grow from half a second to half a minute, and are never the same for all', () => {
  const [short, long] = [new Backoff(), new Backoff()];
  const pauses = (backoff, lot) => Array.from({ length: 8 }, () => backoff.pause_ms(lot));
  assert.deepEqual(pauses(short, 0), [500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
  assert.deepEqual(pauses(long, 1), [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
});

test('pauses begin anew after a connection that lasted, and only after such a one', () => {
  const backoff = new Backoff();
  for (let times = 0; times < 5; times++) backoff.pause_ms(0);
  backoff.ended(1_000);
  assert.equal(backoff.pause_ms(0), 15_000);
  backoff.ended(10_000);
  assert.equal(backoff.pause_ms(0), 500);
});

test('the pace stays below the bound of the gateway', () => {
  const pace = new Pace();
  let [now_ms, sent] = [0, 0];
  const sentBy = (end_ms) => {
    while (now_ms < end_ms) {
      const wait_ms = pace.wait_ms(now_ms);
      if (wait_ms === 0) sent += 1;
      else now_ms += wait_ms;
    }
    return sent;
  };
  const [atOnce, after10s] = [sentBy(1), sentBy(10_000)];
  assert.ok(atOnce >= 50 && atOnce <= 100, `${atOnce} at once`);
  assert.ok(after10s > 400 && after10s <= 100 + 10 * 50, `${after10s} in 10 s`);
});

test('each request settles exactly once', () => {
  const [requests, settled] = [new Requests(), []];
  const { id, frame } = requests.add('history', { peer: 'you' }, 0, (error, data) => settled.push(error ?? data));
  assert.deepEqual(JSON.parse(frame), { id, request: 'history', data: { peer: 'you' } });
  assert.equal(requests.answer({ id, code: 0, data: { complete: true } }), true);
  assert.equal(requests.answer({ id, code: 0, data: {} }), false);
  requests.fail(id, new Error('late'));
  assert.deepEqual(settled, [{ complete: true }]);
});

test('what is safe to repeat waits for the next connection, with the same frame; the rest fails at once', () => {
  const requests = new Requests();
  const outcome = {};
  const frames = {};
  for (const request of ['send', 'recall', 'read', 'history', 'modify', 'delete_conversation', 'delete_messages']) {
    frames[request] = requests.add(
      request,
      { of: request },
      1_000,
      (error, data) => (outcome[request] = error ?? data),
    ).frame;
  }
  requests.broke(2_000);
  assert.deepEqual(Object.keys(outcome), ['read', 'modify', 'delete_conversation', 'delete_messages']);
  assert.ok(
    Object.values(outcome).every(({ code, message }) => code === 2800 && message.includes('not known whether')),
  );
  assert.deepEqual(requests.repeat(3_000), [frames.send, frames.recall, frames.history]);
});

test('a send is not repeated once the server may have forgotten the first attempt', () => {
  const requests = new Requests();
  let error;
  requests.add('send', {}, 0, (failed) => (error = failed));
  assert.deepEqual(requests.repeat(120_000), []);
  assert.equal(error.code, 2800);
});

test('the address of the gateway', () => {
  const check = (server, expected) => assert.equal(gatewayUrl(server), expected);
  check('ws://127.0.0.1:8080/ws', 'ws://127.0.0.1:8080/ws');
  check('wss://chat.example', 'wss://chat.example/ws');
  check('wss://chat.example/elsewhere', 'wss://chat.example/elsewhere');
  for (const wrong of ['http://chat.example', 'chat.example', '']) {
    assert.throws(() => gatewayUrl(wrong), { code: 20001, message: /ws:\/\/127\.0\.0\.1:8080\/ws/ });
  }
});
