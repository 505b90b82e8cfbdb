//! A cookie jar for one server: as much of RFC 6265 as a test needs, which is names, values and expiry.

use std::time::{SystemTime, UNIX_EPOCH};

/// Cookies by name. Paths, domains and `Secure` are not looked at: there is one server and no TLS here.
#[derive(Clone, Debug, Default)]
pub(crate) struct CookieJar(Vec<(String, String)>);

impl CookieJar {
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// The `Cookie` field for the next request; `None` when the jar is empty.
    pub(super) fn header(&self) -> Option<String> {
        let pairs: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Obeys one `Set-Cookie` line: stores the cookie, or forgets it when it has expired.
    pub(super) fn store(&mut self, line: &str) {
        let mut parts = line.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            return;
        };
        let attributes: Vec<(&str, &str)> = parts.map(|part| part.split_once('=').unwrap_or((part, ""))).collect();
        let attribute = |name: &str| {
            attributes.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
        };
        // Max-Age wins over Expires (section 5.3).
        let expired = match (attribute("Max-Age"), attribute("Expires")) {
            (Some(age), _) => age.parse::<i64>().is_ok_and(|seconds| seconds <= 0),
            (None, Some(date)) => unix_time(date).is_some_and(|time| time <= now()),
            (None, None) => false,
        };
        if expired {
            self.0.retain(|(known, _)| known != name);
        } else {
            self.set(name, value);
        }
    }
}

fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    i64::try_from(elapsed.as_secs()).expect("seconds that fit 63 bits")
}

/// The seconds of "Thu, 01 Jan 1970 00:00:00 GMT" or, as older programs write, "Thu, 01-Jan-1970 …".
fn unix_time(date: &str) -> Option<i64> {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let fields: Vec<&str> = date.split([' ', '-', ',', ':']).filter(|field| !field.is_empty()).collect();
    let [_, day, month, year, hour, minute, second, "GMT"] = fields[..] else {
        return None;
    };
    let month = i64::try_from(months.iter().position(|name| *name == month)?).ok()? + 1;
    let number = |text: &str| text.parse::<i64>().ok();
    // Days since 1970-01-01 with the year beginning in March, so that the leap day comes last.
    let year = number(year)? - i64::from(month <= 2);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + number(day)? - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468;
    Some(days * 86_400 + number(hour)? * 3600 + number(minute)? * 60 + number(second)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read() {
        assert_eq!(unix_time("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(unix_time("Thu, 01-Jan-1970 00:00:01 GMT"), Some(1));
        assert_eq!(unix_time("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(unix_time("Tue, 29 Feb 2000 12:00:00 GMT"), Some(951_825_600));
        assert_eq!(unix_time("tomorrow"), None);
    }

    #[test]
    fn cookies_are_kept_replaced_and_forgotten() {
        let mut jar = CookieJar::default();
        jar.store("a=1; Path=/; HttpOnly");
        jar.store("b=x=y; expires=Fri, 31 Dec 2999 00:00:00 GMT; Max-Age=60");
        jar.store("a=2; path=/wp-admin");
        assert_eq!(jar.header().as_deref(), Some("b=x=y; a=2"));
        jar.store("a=gone; expires=Thu, 01 Jan 1970 00:00:00 GMT");
        jar.store("b=gone; Max-Age=0; Expires=Fri, 31 Dec 2999 00:00:00 GMT");
        assert_eq!(jar.header(), None);
    }
}
