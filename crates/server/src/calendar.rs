//! Moments as people write them: in UTC, in the Gregorian calendar.

/// A moment in UTC, as `2026-11-23 01:02:03.004`.
pub(crate) fn time(ms: Option<i64>) -> String {
    let Some(ms) = ms else {
        return "-".to_owned();
    };
    let (days, ms_of_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let (year, month, day) = date(days);
    let (s, ms) = (ms_of_day / 1000, ms_of_day % 1000);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}.{ms:03}", s / 3600, s / 60 % 60, s % 60)
}

/// The same without what is less than a minute: `2026-11-23 01:02 UTC`.
pub(crate) fn minute(s: i64) -> String {
    let text = time(Some(s.saturating_mul(1000)));
    format!("{} UTC", text.rsplit_once(':').map_or(text.as_str(), |(minute, _)| minute))
}

/// The date of a day, counted from 1970-01-01.
fn date(days: i64) -> (i64, i64, i64) {
    let (mut year, mut day) = (1970, days);
    while day < 0 {
        year -= 1;
        day += days_of_year(year);
    }
    while day >= days_of_year(year) {
        day -= days_of_year(year);
        year += 1;
    }
    for (month, length) in (1..).zip(months(year)) {
        if day < length {
            return (year, month, day + 1);
        }
        day -= length;
    }
    unreachable!("a day of a year is in one of its months")
}

/// The day of a date, counted from 1970-01-01; nothing if there is no such date in the years 1970 to 9999.
pub(crate) fn day(year: i64, month: i64, day: i64) -> Option<i64> {
    let months = months(year);
    let before = usize::try_from(month - 1).ok().filter(|before| *before < months.len())?;
    if !(1970..=9999).contains(&year) || !(1..=months[before]).contains(&day) {
        return None;
    }
    let years: i64 = (1970..year).map(days_of_year).sum();
    Some(years + months[..before].iter().sum::<i64>() + day - 1)
}

fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

fn days_of_year(year: i64) -> i64 {
    if is_leap(year) { 366 } else { 365 }
}

fn months(year: i64) -> [i64; 12] {
    let february = if is_leap(year) { 29 } else { 28 };
    [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_in_utc() {
        for (ms, expected) in [
            (0, "1970-01-01 00:00:00.000"),
            (951_782_399_999, "2000-02-28 23:59:59.999"),
            (951_868_800_000, "2000-03-01 00:00:00.000"),
            (1_795_395_723_004, "2026-11-23 01:02:03.004"),
            (-1, "1969-12-31 23:59:59.999"),
        ] {
            assert_eq!(time(Some(ms)), expected);
        }
        assert_eq!(minute(1_795_395_723), "2026-11-23 01:02 UTC");
    }

    #[test]
    fn a_day_is_found_by_its_date_and_back() {
        for days in (0..200_000).step_by(97) {
            let (year, month, of_month) = date(days);
            assert_eq!(day(year, month, of_month), Some(days));
        }
        for (year, month, of_month) in [(2026, 2, 29), (2026, 0, 1), (2026, 13, 1), (2026, 4, 31), (1969, 1, 1)] {
            assert_eq!(day(year, month, of_month), None);
        }
    }
}
