//! Names and values one behind another in one piece of memory that is used again for each request.

use std::fmt::Display;
use std::io::Write;
use std::net::IpAddr;

use crate::http::message::Address;

/// The variables of one request. Every name and value is followed by a NUL, so that C may read them where they lie.
///
/// Reused: [`build`](super::build) clears it and keeps its memory, so that in steady state nothing is allocated.
#[derive(Debug, Default)]
pub struct ServerVars {
    /// Name, NUL, value, NUL, and so on.
    bytes: Vec<u8>,
    vars: Vec<Var>,
}

/// Where in the bytes a variable lies. Each part ends before a NUL.
#[derive(Debug, Clone, Copy)]
struct Var {
    name_start: usize,
    value_start: usize,
    end: usize,
}

impl ServerVars {
    /// No variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many variables there are.
    pub fn len(&self) -> usize {
        self.vars.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.vars.is_empty()
    }

    /// Every variable as name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.iter_terminated().map(|(name, value)| (&name[..name.len() - 1], &value[..value.len() - 1]))
    }

    /// Every variable as name and value, each with the NUL at its end, which is the only one in it. They stay where
    /// they are until this is filled again.
    pub fn iter_terminated(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.vars.iter().map(|var| (self.name(var), self.value(var)))
    }

    /// The value of the variable with this name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(found, _)| *found == name.as_bytes()).map(|(_, value)| value)
    }

    /// Forgets the variables and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.vars.clear();
    }

    pub(super) fn push(&mut self, name: &[u8], value: &[u8]) {
        self.push_parts(name, &[value]);
    }

    /// Pushes a value that is made of several pieces.
    pub(super) fn push_parts(&mut self, name: &[u8], value: &[&[u8]]) {
        let begun = self.begin(name);
        for part in value {
            self.bytes.extend_from_slice(part);
        }
        self.finish(begun);
    }

    pub(super) fn push_decimal(&mut self, name: &[u8], number: u64) {
        let begun = self.begin(name);
        self.write_decimal(number);
        self.finish(begun);
    }

    pub(super) fn push_address(&mut self, name: &[u8], address: Address) {
        match address.0.to_canonical() {
            // Nearly always, and `Display` takes ten times as long.
            IpAddr::V4(of) if !of.is_unspecified() => {
                let begun = self.begin(name);
                let [first, others @ ..] = of.octets();
                self.write_decimal(first.into());
                for octet in others {
                    self.bytes.push(b'.');
                    self.write_decimal(octet.into());
                }
                self.finish(begun);
            }
            _ => self.push_display(name, &address),
        }
    }

    pub(super) fn push_display(&mut self, name: &[u8], value: &dyn Display) {
        let begun = self.begin(name);
        write!(self.bytes, "{value}").expect("a vector takes everything");
        self.finish(begun);
    }

    /// Pushes a header field of one or more lines as `HTTP_*`. The name is made of letters, digits and hyphens.
    pub(super) fn push_field<'a>(&mut self, name: &[u8], value: &[u8], more: impl Iterator<Item = &'a [u8]>) {
        let name_start = self.bytes.len();
        self.bytes.extend_from_slice(b"HTTP_");
        self.bytes.extend(name.iter().map(|byte| if *byte == b'-' { b'_' } else { byte.to_ascii_uppercase() }));
        self.bytes.push(0);
        let begun = Begun { name_start, value_start: self.bytes.len() };
        let is_cookie = &self.bytes[name_start..begun.value_start - 1] == b"HTTP_COOKIE";
        // RFC 9113 §8.2.3: cookies are the one field that is not joined by a comma.
        let separator: &[u8] = if is_cookie { b"; " } else { b", " };
        self.bytes.extend_from_slice(value);
        for value in more {
            self.bytes.extend_from_slice(separator);
            self.bytes.extend_from_slice(value);
        }
        self.finish(begun);
    }

    fn write_decimal(&mut self, mut number: u64) {
        let mut digits = [0; u64::MAX.ilog10() as usize + 1];
        let mut start = digits.len();
        loop {
            start -= 1;
            digits[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.bytes.extend_from_slice(&digits[start..]);
    }

    fn begin(&mut self, name: &[u8]) -> Begun {
        let name_start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        self.bytes.push(0);
        Begun { name_start, value_start: self.bytes.len() }
    }

    fn finish(&mut self, Begun { name_start, value_start }: Begun) {
        debug_assert!(!self.bytes[value_start..].contains(&0), "a value that C would cut");
        self.bytes.push(0);
        self.vars.push(Var { name_start, value_start, end: self.bytes.len() });
    }

    fn name(&self, var: &Var) -> &[u8] {
        &self.bytes[var.name_start..var.value_start]
    }

    fn value(&self, var: &Var) -> &[u8] {
        &self.bytes[var.value_start..var.end]
    }
}

/// A variable whose value is being written.
#[derive(Debug)]
struct Begun {
    name_start: usize,
    value_start: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The short ways say what `Display` does.
    #[test]
    fn numbers_and_addresses() {
        let mut vars = ServerVars::new();
        for number in [0, 7, 10, 99, 100, 65535, u64::MAX] {
            vars.clear();
            vars.push_decimal(b"N", number);
            assert_eq!(vars.get("N"), Some(number.to_string().as_bytes()));
        }
        for text in ["192.0.2.7", "255.255.255.255", "1.20.0.100", "0.0.0.0", "::1", "::ffff:192.0.2.7", "2001:db8::7"]
        {
            vars.clear();
            let address = Address(text.parse().unwrap());
            vars.push_address(b"A", address);
            assert_eq!(vars.get("A"), Some(address.to_string().as_bytes()), "{text}");
        }
    }
}
