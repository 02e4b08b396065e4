// Profiles, who is online, and whose messages this account does not want.

import { object, pieces, userList } from '../arguments.js';
import { CODE, wrongArgument } from '../errors.js';
import { profileOf } from '../model/conversation.js';
import { EVENT, TYPES } from '../types.js';

/** What the gateway takes at once. */
const USERS_MAX = 100;

const SETTABLE = ['nick', 'avatar'];

export async function getMyProfile({ store, session }) {
  session.requireReady();
  return profileOf(store.profile);
}

/** Who is no account is left out. */
export async function getUserProfile({ session }, options) {
  const answers = await inPieces(session, 'profiles', userList(options));
  return answers.flatMap(({ profiles }) => profiles).map(profileOf);
}

export async function updateMyProfile({ store, session, raiseAll }, options) {
  const { nick, avatar, ...rest } = object(options, 'the argument');
  const [other] = Object.keys(rest);
  if (other !== undefined) {
    throw wrongArgument(
      `Unsaid keeps ${SETTABLE.join(' and ')} of a profile; take ${other} out, or keep it in the app's own backend`,
    );
  }
  const fields = { ...(nick !== undefined && { nick }), ...(avatar !== undefined && { face_url: avatar }) };
  await session.ask('set_profile', fields);
  store.setProfile(fields);
  const profile = profileOf(store.profile);
  raiseAll([{ name: EVENT.PROFILE_UPDATED, data: [profile] }]);
  return profile;
}

export async function getUserStatus({ session }, options) {
  const userIDList = userList(options);
  const answers = await inPieces(session, 'online', userIDList);
  const states = new Map(answers.flatMap((answer) => answer.states).map(({ user_id, online }) => [user_id, online]));
  const isThere = (userID) => states.has(userID);
  return {
    successUserList: userIDList.filter(isThere).map((userID) => ({
      userID,
      statusType: states.get(userID) ? TYPES.USER_STATUS_ONLINE : TYPES.USER_STATUS_OFFLINE,
      customStatus: '',
    })),
    failureUserList: userIDList
      .filter((userID) => !isThere(userID))
      .map((userID) => ({ userID, code: CODE.NO_ACCOUNT, message: `there is no account ${userID}` })),
  };
}

export async function getBlacklist({ session }) {
  return (await session.ask('blocklist')).users;
}

export async function addToBlacklist(core, options) {
  return changeBlocklist(core, 'block', options);
}

export async function removeFromBlacklist(core, options) {
  return changeBlocklist(core, 'unblock', options);
}

async function changeBlocklist({ session, raiseAll }, request, options) {
  const answers = await inPieces(session, request, userList(options));
  const users = answers.length > 0 ? answers.at(-1).users : (await session.ask('blocklist')).users;
  raiseAll([{ name: EVENT.BLACKLIST_UPDATED, data: users }]);
  return users;
}

async function inPieces(session, request, all) {
  const answers = [];
  for (const users of pieces(all, USERS_MAX)) answers.push(await session.ask(request, { users }));
  return answers;
}
