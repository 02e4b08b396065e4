// Every way in which a call of the SDK can fail. Codes that come from the server are passed on as they are; the ones that
// the SDK makes itself stand here.

/** Codes that the SDK gives without, or in the name of, the server. */
export const CODE = Object.freeze({
  /** Another device has taken the place of this one while it was away. The gateway's code. */
  OTHER_LOGIN: 6208,
  /** An argument is missing or of the wrong kind. The gateway uses the same code. */
  ARGUMENT: 20001,
  /** There is no such message, or it is not this account's own. The gateway uses the same code. */
  NO_MESSAGE: 20022,
  /** The message was recalled before. The gateway uses the same code. */
  RECALLED_BEFORE: 20023,
  /** The recall window has passed. The gateway uses the same code. */
  RECALL_TOO_LATE: 20016,
  /** An account does not exist. The gateway uses the same code. */
  NO_ACCOUNT: 20003,
  NOT_LOGGED_IN: 2024,
  LOGIN_REPEATED: 2025,
  SYSTEM_CONVERSATION: 2106,
  RECALL_FAILED: 2110,
  /** The request could not be sent, or the connection broke before its answer. */
  REQUEST_FAILED: 2800,
  /** The answer did not come in time. */
  REQUEST_TIMEOUT: 2801,
  NOT_READY: 2999,
  /** Not part of Unsaid: what the REST API says, too. */
  NOT_PART_OF_UNSAID: 60009,
  TOO_LONG: 80002,
});

/** What calls are rejected with: `code`, `message`, and `data`, which has `message` where a Message is concerned. */
export class ChatError extends Error {
  constructor(code, message, data = {}) {
    super(message);
    this.name = 'ChatError';
    this.code = code;
    this.data = data;
  }
}

export function wrongArgument(text) {
  return new ChatError(CODE.ARGUMENT, text);
}

export function notPartOfUnsaid(what, why) {
  return new ChatError(CODE.NOT_PART_OF_UNSAID, `${what} is not part of Unsaid: ${why}`);
}
