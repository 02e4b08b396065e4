//! What the original service has and Unsaid has not, so that who calls it learns that, instead of looking for a mistake in
//! the URL.

/// What a command that is not there belongs to, in the plural; none if it is of nothing that is known.
pub(super) fn absent(service: &str, name: &str) -> Option<&'static str> {
    let of_service = SERVICES.iter().find(|(known, _)| *known == service).map(|(_, what)| *what);
    let of_name = || {
        let named = |(of, begins, _): &&(&str, &str, &str)| *of == service && name.starts_with(begins);
        NAMES.iter().find(named).map(|(.., what)| *what)
    };
    of_service.or_else(of_name).or_else(|| service.contains("group").then_some(GROUPS))
}

const GROUPS: &str = "groups";
const PUSH: &str = "pushes to phones";

/// Services of which nothing is here.
const SERVICES: [(&str, &str); 9] = [
    ("profile", "profiles (names and faces come with account_import)"),
    ("openim_msg_ext_http_svc", "key values of messages"),
    ("openim_dirty_words", "word filters"),
    ("openconfigsvr", "mutes"),
    ("open_msg_svc", "downloads of whole histories"),
    ("all_member_push", PUSH),
    ("timpush", PUSH),
    ("official_account_open_http_svc", "official accounts"),
    ("openim_robot_http_svc", "robots"),
];

/// Of services that are here in part: how the names of what is not begin.
const NAMES: [(&str, &str, &str); 9] = [
    ("openim", "im_", PUSH),
    ("sns", "friend_", "friends"),
    ("sns", "group_", "groups of friends"),
    ("recentcontact", "create_contact_group", "groups of conversations"),
    ("recentcontact", "del_contact_group", "groups of conversations"),
    ("recentcontact", "update_contact_group", "groups of conversations"),
    ("recentcontact", "search_contact_group", "groups of conversations"),
    ("recentcontact", "get_contact_group", "groups of conversations"),
    ("recentcontact", "mark_contact", "marks of conversations"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_part_of_unsaid_is_named() {
        for (service, name, expected) in [
            ("group_open_http_svc", "create_group", Some("groups")),
            ("million_group_open_http_svc", "x", Some("groups")),
            ("profile", "portrait_set", Some("profiles (names and faces come with account_import)")),
            ("sns", "friend_add", Some("friends")),
            ("openim", "im_push", Some("pushes to phones")),
            ("openim_msg_ext_http_svc", "set_key_values", Some("key values of messages")),
            ("recentcontact", "mark_contact", Some("marks of conversations")),
            ("sns", "black_list_ad", None),
            ("openim", "nothing", None),
            ("", "", None),
        ] {
            assert_eq!(absent(service, name), expected, "{service}/{name}");
        }
        assert!(super::super::COMMANDS.iter().all(|command| absent(command.service, command.name).is_none()));
    }
}
