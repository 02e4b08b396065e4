// The messages that this instance holds: one entry, and one Message, for each. Bounded: the ones that were held longest are
// let go first, and are fetched again when somebody asks for them.
//
// An entry knows, beside the Message: `wire` (what the server said last; null before it was sent), `number` (the update that
// touched it last), `own` (sent by this very instance), `receivedTold` and `recallTold` (the event was raised, or must not
// be), `readTold`, and for own ones `seq` (chosen at the first attempt to send, and kept) and `sending`.

import { fill, newMessage } from '../model/message.js';

export class Messages {
  #entries = new Map();
  #max;
  /** The highest seq of the latest second that messages were seen of. */
  #seen = { time_s: 0, seq: 0 };

  constructor(max = 10_000) {
    this.#max = max;
  }

  get(ID) {
    return this.#entries.get(ID);
  }

  /** A message that this instance has made and not sent yet. */
  addOwn(message) {
    return this.#add(message, { own: true });
  }

  /**
   * What the server says of a message. `asOf`: the number of the latest update that was known when the server was asked; what
   * an update told since is newer. `number`: the update that says it.
   */
  put(wire, { self, person, asOf, number }) {
    const entry = this.#entries.get(wire.msg_id) ?? this.#add(newMessage({ ID: wire.msg_id, ...wire, self }));
    const isStale = entry.wire !== null && asOf !== undefined && entry.number > asOf;
    const unRecalls = entry.message.isRevoked && wire.recalled_by === undefined;
    if (isStale || unRecalls) return entry;
    entry.wire = wire;
    entry.number = Math.max(entry.number, number ?? 0);
    fill(entry.message, wire, person);
    this.#saw(entry.message);
    return entry;
  }

  /**
   * The seq of the next message. Histories are in the order of seq within a second: so it grows with the server's time, and
   * beyond everything that was seen of this second, which an answer has to stand behind.
   */
  nextSeq(server_ms) {
    const second = Math.floor(server_ms / 1000);
    const ofClock = Math.floor(server_ms) % 2 ** 32;
    const ofSeen = this.#seen.time_s >= second ? this.#seen.seq + 1 : 0;
    const seq = Math.max(ofClock, ofSeen);
    const fits = seq < 2 ** 32 ? seq : ofClock;
    this.#saw({ time: second, sequence: fits });
    return fits;
  }

  /** Stored messages of the conversation with `peer`. */
  ofPeer(peer) {
    const conversationID = `C2C${peer}`;
    return this.all().filter((entry) => entry.message.conversationID === conversationID && entry.wire?.position > 0);
  }

  all() {
    return [...this.#entries.values()];
  }

  remove(ID) {
    this.#entries.delete(ID);
  }

  clear() {
    this.#entries.clear();
    this.#seen = { time_s: 0, seq: 0 };
  }

  #saw({ time, sequence }) {
    if (time > this.#seen.time_s) this.#seen = { time_s: time, seq: sequence };
    else if (time === this.#seen.time_s) this.#seen.seq = Math.max(this.#seen.seq, sequence);
  }

  #add(message, more) {
    const entry = {
      message,
      wire: null,
      number: 0,
      own: false,
      receivedTold: false,
      recallTold: false,
      readTold: false,
      seq: null,
      sending: null,
      ...more,
    };
    this.#entries.set(message.ID, entry);
    if (this.#entries.size > this.#max) this.#entries.delete(this.#entries.keys().next().value);
    return entry;
  }
}
