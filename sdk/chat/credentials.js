// Who this window logs in as.
//
// A link names the account behind "#", which browsers do not send to the server; it is taken out of the address bar at
// once. A reload of the window finds the account in sessionStorage, which other windows do not share.

const KEPT = 'unsaid.login';

/** What the address says: `#sdkappid=..&userid=..&usersig=..`. */
export function takeFromAddress() {
  const said = new URLSearchParams(location.hash.slice(1));
  const found = { SDKAppID: Number(said.get('sdkappid')), userID: said.get('userid'), userSig: said.get('usersig') };
  if (!found.SDKAppID || !found.userID || !found.userSig) return null;
  history.replaceState(null, '', location.pathname + location.search);
  return found;
}

export function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT));
  } catch {
    return null;
  }
}

export function keep(credentials) {
  sessionStorage.setItem(KEPT, JSON.stringify(credentials));
}

export function forget() {
  sessionStorage.removeItem(KEPT);
}
