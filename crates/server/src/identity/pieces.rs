//! Proving a UserSig, and finding that it was proven.

use super::{Identities, prove};
use crate::pieces::{Work, app, caller};

/// Within a day of the moment for which it was made.
const NOW_S: u64 = 1_764_500_000;

pub(crate) fn prove_usersig(times: u32) -> Work {
    let (app, (_, usersig, admin)) = (app(), caller());
    Box::new(move || {
        for _ in 0..times {
            prove(&app, Some(admin), &usersig).expect("it was made with its key");
        }
    })
}

pub(crate) fn find_usersig(times: u32) -> Work {
    let (app, (_, usersig, admin), identities) = (app(), caller(), Identities::new());
    Box::new(move || {
        for _ in 0..times {
            identities.verify(&app, Some(admin), &usersig, NOW_S).expect("it holds");
        }
    })
}
