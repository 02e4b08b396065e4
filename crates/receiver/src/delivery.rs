//! Which delivery of which event a request is: read from its headers, and held against what was seen before.

use unsaid_protocol::webhook;

use crate::Rejection;

/// The longest `webhook-id` that is taken, in bytes; those of Unsaid have fewer than 64.
const ID_BYTES_MAX: usize = 256;

/// The longest `unsaid-lane` that is taken, in bytes.
const LANE_BYTES_MAX: usize = 1024;

/// The headers of a callback that are looked at. The original service sends none of them.
#[derive(Clone, Copy, Default, Debug)]
pub struct Headers<'a> {
    /// `webhook-id`
    pub id: Option<&'a str>,
    /// `webhook-timestamp`
    pub timestamp: Option<&'a str>,
    /// `webhook-signature`
    pub signature: Option<&'a str>,
    /// `unsaid-lane`
    pub lane: Option<&'a str>,
    /// `unsaid-number`
    pub number: Option<&'a str>,
    /// `unsaid-previous`
    pub previous: Option<&'a str>,
    /// `unsaid-replay`
    pub replay: Option<&'a str>,
}

/// A delivery is the same whenever its id and its replay are: then it is a repeat.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// The event's name, the same at every try.
    pub id: String,
    /// Set where the event is sent again on request, another number each time.
    pub replay: Option<u64>,
    /// Where it stands among the others of its lane. A question (`C2C.CallbackBeforeSendMsg`) stands in none.
    pub place: Option<Place>,
}

/// Where an event stands in its lane.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// An account or a conversation, with the life of the server's store before it: a lane of another life is another
    /// lane.
    pub lane: String,
    /// The event's number in its lane.
    pub number: u64,
    /// The number of the event that was delivered before it; 0 if there is none.
    pub previous: u64,
}

/// What a receiver remembers when a delivery comes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Remembered {
    /// Whether this delivery was handled.
    pub handled: bool,
    /// The greatest number of its lane that was handled, replays left out. `Some(0)` if there was certainly none, `None`
    /// if that is not known, as for a memory that began after the lane.
    pub last_number: Option<u64>,
}

/// What a delivery is to a receiver with that memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Judgement {
    /// It was handled: answer as then.
    Repeat,
    /// It is to be handled. If something is missed, ask whoever runs the server to replay it.
    New { missed: Option<Missed> },
}

/// Events of a lane that were delivered, but not to this memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missed {
    pub lane: String,
    /// Behind this number ...
    pub after: u64,
    /// ... and up to this one.
    pub through: u64,
}

impl<'a> Headers<'a> {
    /// Reads them with a function from a header's name, in lower case, to its value.
    pub fn read(value_of: impl Fn(&'static str) -> Option<&'a str>) -> Self {
        Self {
            id: value_of(webhook::ID_HEADER),
            timestamp: value_of(webhook::TIMESTAMP_HEADER),
            signature: value_of(webhook::SIGNATURE_HEADER),
            lane: value_of(webhook::LANE_HEADER),
            number: value_of(webhook::NUMBER_HEADER),
            previous: value_of(webhook::PREVIOUS_HEADER),
            replay: value_of(webhook::REPLAY_HEADER),
        }
    }
}

impl Delivery {
    pub(crate) fn read(headers: Headers<'_>) -> Result<Option<Self>, Rejection> {
        let Some(id) = headers.id else {
            return Ok(None);
        };
        let id = bounded(webhook::ID_HEADER, id, ID_BYTES_MAX, "1 to 256 bytes")?;
        let replay = headers.replay.map(|text| number(webhook::REPLAY_HEADER, text)).transpose()?;
        let place = headers.lane.map(|lane| Place::read(lane, headers)).transpose()?;
        Ok(Some(Self { id, replay, place }))
    }

    /// Whether it has to be handled. Whoever keeps the memory in a database asks it in the transaction that handles the
    /// event, and remembers the delivery in the same one, with id and replay as a key: so it is handled exactly once.
    pub fn judge(&self, remembered: Remembered) -> Judgement {
        if remembered.handled {
            return Judgement::Repeat;
        }
        let missed = match (&self.place, self.replay, remembered.last_number) {
            (Some(place), None, Some(last)) if place.previous > last => {
                Some(Missed { lane: place.lane.clone(), after: last, through: place.previous })
            }
            _ => None,
        };
        Judgement::New { missed }
    }
}

impl Place {
    fn read(lane: &str, headers: Headers<'_>) -> Result<Self, Rejection> {
        let lane = bounded(webhook::LANE_HEADER, lane, LANE_BYTES_MAX, "1 to 1024 bytes")?;
        let required = |name, value: Option<&str>| number(name, value.unwrap_or_default());
        let place_number = required(webhook::NUMBER_HEADER, headers.number)?;
        let previous = required(webhook::PREVIOUS_HEADER, headers.previous)?;
        Ok(Self { lane, number: place_number, previous })
    }
}

fn bounded(name: &'static str, text: &str, bytes_max: usize, expected: &'static str) -> Result<String, Rejection> {
    if (1..=bytes_max).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        let found = text.chars().take(64).collect();
        Err(Rejection::Header { name, found, expected })
    }
}

fn number(name: &'static str, text: &str) -> Result<u64, Rejection> {
    let expected = "a whole number";
    text.parse().map_err(|_| Rejection::Header { name, found: text.chars().take(64).collect(), expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(number: u64, previous: u64, replay: Option<u64>) -> Delivery {
        let place = Place { lane: "1.bob".to_owned(), number, previous };
        Delivery { id: format!("evt_{number}"), replay, place: Some(place) }
    }

    fn headers() -> Headers<'static> {
        let (id, lane, number) = (Some("evt_7"), Some("1.bob"), Some("7"));
        Headers { id, lane, number, previous: Some("5"), ..Headers::default() }
    }

    #[test]
    fn c3_the_headers_name_the_delivery() {
        assert_eq!(Delivery::read(Headers::default()), Ok(None), "the original service sends none");
        let expected = Delivery { id: "evt_7".to_owned(), ..delivery(7, 5, None) };
        assert_eq!(Delivery::read(headers()), Ok(Some(expected)));
        let question = Headers { id: Some("ask_1"), ..Headers::default() };
        let read = Delivery::read(question).expect("valid").expect("it has an id");
        assert_eq!((read.id.as_str(), read.place), ("ask_1", None));
    }

    #[test]
    fn a_header_that_cannot_be_read_is_named() {
        let long = "x".repeat(1025);
        for (faulty, expected) in [
            (Headers { id: Some(""), ..headers() }, webhook::ID_HEADER),
            (Headers { id: Some(&long), ..headers() }, webhook::ID_HEADER),
            (Headers { lane: Some(&long), ..headers() }, webhook::LANE_HEADER),
            (Headers { number: None, ..headers() }, webhook::NUMBER_HEADER),
            (Headers { number: Some("-1"), ..headers() }, webhook::NUMBER_HEADER),
            (Headers { previous: Some("1e3"), ..headers() }, webhook::PREVIOUS_HEADER),
            (Headers { replay: Some(""), ..headers() }, webhook::REPLAY_HEADER),
        ] {
            let rejection = Delivery::read(faulty).expect_err(expected);
            assert!(matches!(&rejection, Rejection::Header { name, .. } if *name == expected), "{rejection}");
        }
    }

    #[test]
    fn c5_what_was_delivered_elsewhere_is_missed_here() {
        let missed =
            |after, through| Judgement::New { missed: Some(Missed { lane: "1.bob".to_owned(), after, through }) };
        let new = Judgement::New { missed: None };
        for (delivery, last_number, expected) in [
            (delivery(1, 0, None), Some(0), new.clone()),
            (delivery(2, 1, None), Some(1), new.clone()),
            (delivery(9, 1, None), Some(1), new.clone()),
            (delivery(9, 8, None), Some(1), missed(1, 8)),
            (delivery(9, 8, None), Some(0), missed(0, 8)),
            (delivery(9, 8, None), None, new.clone()),
            (delivery(9, 8, Some(1)), Some(1), new.clone()),
            (delivery(1, 0, None), Some(4), new),
        ] {
            let judgement = delivery.judge(Remembered { handled: false, last_number });
            assert_eq!(judgement, expected, "{delivery:?} behind {last_number:?}");
            assert_eq!(delivery.judge(Remembered { handled: true, last_number }), Judgement::Repeat);
        }
    }
}
