// A place in PostgreSQL for a server of a test, where `UNSAID_TEST_STORE` has the address of one: a schema of its own, which goes
// with it. Without that variable there is none, and servers store in their folders.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';

const address = process.env.UNSAID_TEST_STORE;

export class Database {
  #schema = `unsaid_test_${randomBytes(8).toString('hex')}`;

  static ifWanted() {
    return address ? new Database() : null;
  }

  constructor() {
    this.make();
  }

  /** As the setting `store` has it. */
  get url() {
    return `${address}${address.includes('?') ? '&' : '?'}options=-csearch_path%3D${this.#schema}`;
  }

  make() {
    this.#psql(`CREATE SCHEMA ${this.#schema}`);
  }

  drop() {
    this.#psql(`DROP SCHEMA ${this.#schema} CASCADE`);
  }

  #psql(statement) {
    const args = ['--quiet', '--no-psqlrc', '--dbname', address, '--command', statement];
    execFileSync('psql', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  }
}
