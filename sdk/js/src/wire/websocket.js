// Where the WebSocket comes from: the caller, the platform, or the package `ws`.

import { wrongArgument } from '../errors.js';

export async function findWebSocket(given) {
  if (given) return given;
  if (typeof globalThis.WebSocket === 'function') return globalThis.WebSocket;
  try {
    // A name that bundlers do not see: browsers never come here.
    const name = 'ws';
    const module = await import(/* webpackIgnore: true */ /* @vite-ignore */ name);
    return module.WebSocket ?? module.default;
  } catch (error) {
    throw wrongArgument(
      'this version of Node has no WebSocket: run `npm install ws`, or pass one as create({WebSocket}). ' +
        error.message,
    );
  }
}

/** The address of the gateway. `/ws` is added where the address has no path. */
export function gatewayUrl(server) {
  let url;
  try {
    url = new URL(server);
  } catch {
    throw wrongArgument(
      `server has to be the address of the gateway, for example ws://127.0.0.1:8080/ws; it is ${server}`,
    );
  }
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') {
    throw wrongArgument(
      `server has to begin with ws:// or wss://, for example ws://127.0.0.1:8080/ws; it is ${server}`,
    );
  }
  if (url.pathname === '/') url.pathname = '/ws';
  return url.href;
}
