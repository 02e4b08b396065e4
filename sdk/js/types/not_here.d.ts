/**
 * Methods of the original that are not here. They are declared so that ported code compiles and editors strike them
 * through. Each one fails with a `ChatError` of code 60009 that says why.
 */
export interface NotHere {
  /** @deprecated Not part of Unsaid: it has no groups. */
  createTextAtMessage(...parameters: unknown[]): never;
  /** @deprecated Not part of Unsaid: it has no merged messages; forward them one by one, or use createElementMessage. */
  createMergerMessage(...parameters: unknown[]): never;
  /** @deprecated Not part of Unsaid: it has no merged messages; forward them one by one, or use createElementMessage. */
  downloadMergerMessage(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no text and speech services. */
  translateText(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no text and speech services. */
  convertVoiceToText(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: messages have no key values; use cloudCustomData. */
  setMessageExtensions(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: messages have no key values; use cloudCustomData. */
  getMessageExtensions(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: messages have no key values; use cloudCustomData. */
  deleteMessageExtensions(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no search. */
  searchCloudMessages(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  searchCloudGroups(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no search. */
  searchCloudUsers(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  searchCloudGroupMembers(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no reactions. */
  addMessageReaction(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no reactions. */
  removeMessageReaction(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no reactions. */
  getMessageReactions(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no reactions. */
  getAllUserListOfMessageReaction(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  getGroupMessageReadMemberList(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: nothing is pushed to phones, so there is nothing to silence. */
  setMessageRemindType(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: nothing is pushed to phones, so there is nothing to silence. */
  setAllReceiveMessageOpt(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: nothing is pushed to phones, so there is nothing to silence. */
  getAllReceiveMessageOpt(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: conversations carry no data of the app. */
  setConversationCustomData(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: conversations carry no data of the app. */
  markConversation(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no folders of conversations. */
  getConversationGroupList(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no folders of conversations. */
  createConversationGroup(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no folders of conversations. */
  deleteConversationGroup(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no folders of conversations. */
  renameConversationGroup(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no folders of conversations. */
  addConversationsToGroup(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no folders of conversations. */
  deleteConversationsFromGroup(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no status texts. */
  setSelfStatus(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: online states are not pushed; ask getUserStatus. */
  subscribeUserStatus(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: online states are not pushed; ask getUserStatus. */
  unsubscribeUserStatus(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no friends; who may write is a matter of blocklists. */
  getFriendList(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no friends; who may write is a matter of blocklists. */
  addFriend(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no friends; who may write is a matter of blocklists. */
  deleteFriend(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no friends; who may write is a matter of blocklists. */
  checkFriend(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no friends; who may write is a matter of blocklists. */
  getFriendProfile(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no friends; who may write is a matter of blocklists. */
  updateFriend(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no friends; who may write is a matter of blocklists. */
  getFriendApplicationList(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no friends; who may write is a matter of blocklists. */
  acceptFriendApplication(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no friends; who may write is a matter of blocklists. */
  refuseFriendApplication(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no friends; who may write is a matter of blocklists. */
  deleteFriendApplication(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no friends; who may write is a matter of blocklists. */
  setFriendApplicationRead(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no friends; who may write is a matter of blocklists. */
  getFriendGroupList(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no friends; who may write is a matter of blocklists. */
  createFriendGroup(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no friends; who may write is a matter of blocklists. */
  deleteFriendGroup(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no friends; who may write is a matter of blocklists. */
  addToFriendGroup(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no friends; who may write is a matter of blocklists. */
  removeFromFriendGroup(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no friends; who may write is a matter of blocklists. */
  renameFriendGroup(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no follow relations. */
  followUser(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no follow relations. */
  unfollowUser(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no follow relations. */
  getMyFollowersList(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no follow relations. */
  getMyFollowingList(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no follow relations. */
  getMutualFollowersList(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no follow relations. */
  getUserFollowInfo(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no follow relations. */
  checkFollowType(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  getGroupList(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  getGroupProfile(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  createGroup(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  dismissGroup(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  updateGroupProfile(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  joinGroup(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  quitGroup(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  pinGroupMessage(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  getPinnedGroupMessageList(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  searchGroupByID(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  getGroupOnlineMemberCount(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  changeGroupOwner(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  getGroupApplicationList(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  handleGroupApplication(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  initGroupAttributes(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  setGroupAttributes(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  deleteGroupAttributes(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  getGroupAttributes(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  setGroupCounters(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  increaseGroupCounter(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  decreaseGroupCounter(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  getGroupCounters(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  getGroupMemberList(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  getGroupMemberProfile(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  addGroupMember(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  deleteGroupMember(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  setGroupMemberMuteTime(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  setGroupMemberRole(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  setGroupMemberNameCard(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  setGroupMemberCustomField(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  markGroupMemberList(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  getJoinedCommunityList(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  createTopicInCommunity(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  deleteTopicFromCommunity(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  updateTopicProfile(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  getTopicList(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no calls; an invitation fits into a custom message. */
  addSignalingListener(...parameters: unknown[]): never;
  /** @deprecated Not part of Unsaid: it has no calls; an invitation fits into a custom message. */
  removeSignalingListener(...parameters: unknown[]): never;
  /** @deprecated Not part of Unsaid: it has no calls; an invitation fits into a custom message. */
  invite(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no calls; an invitation fits into a custom message. */
  inviteSync(...parameters: unknown[]): never;
  /** @deprecated Not part of Unsaid: it has no groups. */
  inviteInGroup(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no groups. */
  inviteInGroupSync(...parameters: unknown[]): never;
  /** @deprecated Not part of Unsaid: it has no calls; an invitation fits into a custom message. */
  cancel(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no calls; an invitation fits into a custom message. */
  accept(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no calls; an invitation fits into a custom message. */
  reject(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it has no calls; an invitation fits into a custom message. */
  getSignalingInfo(...parameters: unknown[]): never;
  /** @deprecated Not part of Unsaid: it has no calls; an invitation fits into a custom message. */
  modifyInvitation(...parameters: unknown[]): Promise<never>;
  /** @deprecated Not part of Unsaid: it is not documented by the original. */
  callExperimentalAPI(...parameters: unknown[]): Promise<never>;
}
