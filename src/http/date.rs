//! HTTP dates (RFC 9110 §5.6.7): one format to write, three to read. Pure arithmetic on seconds since the epoch.

/// The length of an IMF-fixdate, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub const IMF_FIXDATE_LEN: usize = 29;

const DAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
const DAY: i64 = 86_400;
/// 9999-12-31T23:59:59, the last second with a four-digit year.
const LAST: i64 = 253_402_300_799;

/// `seconds` since 1970 as an IMF-fixdate. Times outside the years 1970 to 9999 are moved to the nearest end.
pub fn format(seconds: i64) -> [u8; IMF_FIXDATE_LEN] {
    let seconds = seconds.clamp(0, LAST);
    let (days, of_day) = (seconds / DAY, seconds % DAY);
    let (year, month, day) = civil_from_days(days);
    let mut out = *b"Thu, 00 Jan 0000 00:00:00 GMT";
    out[..3].copy_from_slice(DAYS[(days % 7) as usize]);
    write_digits(&mut out[5..7], day);
    out[8..11].copy_from_slice(MONTHS[month as usize - 1]);
    write_digits(&mut out[12..16], year);
    write_digits(&mut out[17..19], of_day / 3600);
    write_digits(&mut out[20..22], of_day / 60 % 60);
    write_digits(&mut out[23..25], of_day % 60);
    out
}

/// Seconds since 1970 of a date in any of the three formats that a recipient must accept: IMF-fixdate, RFC 850
/// (`Sunday, 06-Nov-94 08:49:37 GMT`) and asctime (`Sun Nov  6 08:49:37 1994`). `now` decides the century of a
/// two-digit year: never more than 50 years ahead. The day of the week is not checked against the date.
pub fn parse(date: &[u8], now: i64) -> Option<i64> {
    match date {
        [_, _, _, b',', b' ', d1, d2, b' ', m1, m2, m3, b' ', y1, y2, y3, y4, b' ', time @ ..] => seconds(
            digits(&[*y1, *y2, *y3, *y4])?,
            month(&[*m1, *m2, *m3])?,
            digits(&[*d1, *d2])?,
            time.strip_suffix(b" GMT")?,
        ),
        [_, _, _, b' ', m1, m2, m3, b' ', d1, d2, b' ', time @ ..] if time.len() == 13 && time[8] == b' ' => {
            let tens = if *d1 == b' ' { b'0' } else { *d1 };
            seconds(digits(&time[9..])?, month(&[*m1, *m2, *m3])?, digits(&[tens, *d2])?, &time[..8])
        }
        _ => {
            let comma = memchr::memchr(b',', date)?;
            let [b' ', d1, d2, b'-', m1, m2, m3, b'-', y1, y2, b' ', time @ ..] = &date[comma + 1..] else {
                return None;
            };
            let current = civil_from_days(now.clamp(0, LAST) / DAY).0;
            let mut year = current - current % 100 + digits(&[*y1, *y2])?;
            if year > current + 50 {
                year -= 100;
            }
            seconds(year, month(&[*m1, *m2, *m3])?, digits(&[*d1, *d2])?, time.strip_suffix(b" GMT")?)
        }
    }
}

fn seconds(year: i64, month: i64, day: i64, time: &[u8]) -> Option<i64> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = time else { return None };
    let (hour, minute, second) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?, digits(&[*s1, *s2])?);
    // Second 60 is a leap second.
    let legal = (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    let days = days_from_civil(year, month, day);
    (legal && civil_from_days(days) == (year, month, day)).then(|| days * DAY + hour * 3600 + minute * 60 + second)
}

fn month(name: &[u8; 3]) -> Option<i64> {
    MONTHS.iter().position(|month| *month == name).map(|index| index as i64 + 1)
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

fn write_digits(out: &mut [u8], mut value: i64) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Year, month (1..=12) and day (1..=31) of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    // Counted from 0000-03-01, so that the leap day ends a year, in eras of 400 years = 146,097 days.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000; // November 2026

    #[test]
    fn the_rfc_s_example_reads_in_all_three_formats() {
        for date in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(parse(date.as_bytes(), NOW), Some(784_111_777), "{date}");
        }
        assert_eq!(&format(784_111_777), b"Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut seconds = 0;
        while seconds < LAST {
            assert_eq!(parse(&format(seconds), NOW), Some(seconds));
            seconds += 86_399 * 97;
        }
        assert_eq!(&format(LAST), b"Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(&format(-5), b"Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn two_digit_years_are_at_most_fifty_years_ahead() {
        assert!(parse(b"Sunday, 06-Nov-76 08:49:37 GMT", NOW).unwrap() > NOW);
        assert!(parse(b"Sunday, 06-Nov-77 08:49:37 GMT", NOW).unwrap() < NOW);
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for date in [
            "",
            "yesterday",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
            "784111777",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun Nov  6 08:49:37 94",
        ] {
            assert_eq!(parse(date.as_bytes(), NOW), None, "{date}");
        }
    }

    #[test]
    fn dates_are_right() {
        let table = [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (364, (1970, 12, 31)),
            (365, (1971, 1, 1)),
            (789, (1972, 2, 29)),
            (790, (1972, 3, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (20_780, (2026, 11, 23)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
            (157_113, (2400, 2, 29)),
            (2_932_896, (9999, 12, 31)),
        ];
        for (days, expected) in table {
            assert_eq!(civil_from_days(days), expected, "day {days}");
        }
    }

    /// Walks 800 years day by day with the rules as one learns them at school.
    #[test]
    fn dates_follow_the_calendar() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..800 * 365 {
            assert_eq!(civil_from_days(days), (year, month, day));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let month_days = match month {
                2 => 28 + i64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > month_days {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }
}
