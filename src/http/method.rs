//! Request methods (RFC 9110 §9 and the IANA registry).
//!
//! A closed set: a method that is not listed is answered 501 before anything else sees it, so no application gets a
//! method of a peer's invention, and the name that PHP receives is a constant.

macro_rules! methods {
    ($($variant:ident $name:literal,)*) => {
        /// A registered request method. Case matters: `get` is none.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "each variant is the method of its name")]
        pub enum Method {
            $($variant,)*
        }

        impl Method {
            /// Every method of the registry that we pass on, in the registry's order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The method with exactly this name.
            pub fn from_bytes(name: &[u8]) -> Option<Self> {
                $(if name == $name.as_bytes() { return Some(Self::$variant); })*
                None
            }

            /// The method's name.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

methods! {
    Get "GET",
    Head "HEAD",
    Post "POST",
    Put "PUT",
    Delete "DELETE",
    Patch "PATCH",
    Options "OPTIONS",
    Connect "CONNECT",
    Trace "TRACE",
    Query "QUERY",
    Acl "ACL",
    BaselineControl "BASELINE-CONTROL",
    Bind "BIND",
    Checkin "CHECKIN",
    Checkout "CHECKOUT",
    Copy "COPY",
    Label "LABEL",
    Link "LINK",
    Lock "LOCK",
    Merge "MERGE",
    Mkactivity "MKACTIVITY",
    Mkcalendar "MKCALENDAR",
    Mkcol "MKCOL",
    Mkredirectref "MKREDIRECTREF",
    Mkworkspace "MKWORKSPACE",
    Move "MOVE",
    Orderpatch "ORDERPATCH",
    Propfind "PROPFIND",
    Proppatch "PROPPATCH",
    Purge "PURGE",
    Rebind "REBIND",
    Report "REPORT",
    Search "SEARCH",
    Unbind "UNBIND",
    Uncheckout "UNCHECKOUT",
    Unlink "UNLINK",
    Unlock "UNLOCK",
    Update "UPDATE",
    Updateredirectref "UPDATEREDIRECTREF",
    VersionControl "VERSION-CONTROL",
}

impl Method {
    /// Whether responses carry what GET's would (RFC 9110 §9.3.2: HEAD is GET without content).
    pub fn is_get_or_head(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_case_sensitive_and_round_trip() {
        for method in Method::ALL {
            assert_eq!(Method::from_bytes(method.as_str().as_bytes()), Some(*method));
            assert_eq!(Method::from_bytes(method.as_str().to_ascii_lowercase().as_bytes()), None);
        }
        assert_eq!(Method::from_bytes(b"BREW"), None);
        assert_eq!(Method::from_bytes(b""), None);
    }
}
