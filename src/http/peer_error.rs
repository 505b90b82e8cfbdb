//! Rules that a peer can break: which one, and the status that answers it.
//!
//! One table has the whole policy: each error with its status and with the line that the log shows. Messages name
//! the rule and never repeat the peer's bytes, so that they are safe in any log. Rules of RFC 9112 unless a section
//! of another document is given.

use std::fmt;

use super::status::Status;

macro_rules! peer_errors {
    ($($(#[doc = $doc:literal])+ $variant:ident $status:ident $message:literal,)*) => {
        /// The rule that a peer broke.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum PeerError {
            $($(#[doc = $doc])+ $variant,)*
        }

        impl PeerError {
            /// The status that answers the error: the only place where one becomes the other.
            pub fn status(self) -> Status {
                match self {
                    $(Self::$variant => Status::$status,)*
                }
            }
        }

        impl fmt::Display for PeerError {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $message,)*
                })
            }
        }
    };
}

peer_errors! {
    /// A line of the head ends with LF alone (§2.2 would allow to accept it).
    BareLf BAD_REQUEST "a line ends with LF alone, expected CR LF",
    /// CR without LF (§2.2).
    BareCr BAD_REQUEST "CR is not followed by LF",
    /// More empty lines precede the request line than are skipped (§2.2).
    EmptyLines BAD_REQUEST "too many empty lines before the request line",
    /// The request line does not begin with a token (RFC 9110 §9.1): white space, a TLS handshake, garbage.
    MethodSyntax BAD_REQUEST "the method is not a token",
    /// A method that is not registered (RFC 9110 §9.1).
    MethodUnknown NOT_IMPLEMENTED "the method is unknown",
    /// Not method, SP, target, SP, version (§3).
    RequestLineSyntax BAD_REQUEST "the request line is not a method, a target and a version",
    /// The version is not `HTTP/` DIGIT `.` DIGIT (§2.3).
    VersionSyntax BAD_REQUEST "the version is malformed",
    /// A major version other than 1 (RFC 9110 §15.6.6).
    VersionUnsupported HTTP_VERSION_NOT_SUPPORTED "the version is not supported",
    /// The first line of an HTTP/2 connection preface (RFC 9113 §3.4) where there can be none.
    Http2Preface HTTP_VERSION_NOT_SUPPORTED "HTTP/2 is not spoken here",
    /// The target is longer than the limit (§3).
    TargetTooLong URI_TOO_LONG "the request target is too long",
    /// None of the forms that the method may have (§3.2): `*` without OPTIONS, another scheme, …
    TargetForm BAD_REQUEST "the request target has no form that suits the method",
    /// A byte that no target has: a control, `#`, what is not UTF-8 (RFC 3986 §2).
    TargetByte BAD_REQUEST "the request target has a byte that no URI may have",
    /// The path has `%` without two hexadecimal digits, or `%00` (RFC 3986 §2.1).
    TargetEscape BAD_REQUEST "the path has an invalid percent escape",
    /// The target's authority is none, or has user information (RFC 9110 §4.2.4).
    TargetAuthority BAD_REQUEST "the request target has an invalid authority",
    /// The head is longer than the limit.
    HeadTooLarge REQUEST_HEADER_FIELDS_TOO_LARGE "the request head is too large",
    /// There are more field lines than the limit.
    TooManyFields REQUEST_HEADER_FIELDS_TOO_LARGE "too many header fields",
    /// A line that begins with white space (§5.2, obsolete line folding, and §2.2).
    LineFolding BAD_REQUEST "a field line begins with white space",
    /// A field name that is no token, or is not followed by a colon at once (§5.1).
    FieldName BAD_REQUEST "a field name is malformed",
    /// A control in a field value (RFC 9110 §5.5).
    FieldValue BAD_REQUEST "a field value has a control character",
    /// HTTP/1.1 without Host (§3.2).
    HostMissing BAD_REQUEST "Host is missing",
    /// More than one Host line (§3.2).
    HostTwice BAD_REQUEST "Host is given more than once",
    /// Host and `:authority` differ (RFC 9113 §8.3.1).
    HostMismatch BAD_REQUEST "Host and :authority differ",
    /// Host is no authority (§3.2).
    HostInvalid BAD_REQUEST "Host is not a host with an optional port",
    /// More than one Content-Type line (RFC 9110 §5.3: not a list).
    ContentTypeTwice BAD_REQUEST "Content-Type is given more than once",
    /// Not 1*DIGIT without leading zeros, or beyond 64 bits (RFC 9110 §8.6).
    ContentLengthSyntax BAD_REQUEST "Content-Length is not a decimal number",
    /// More than one Content-Length line, even if equal (§6.3 would allow to merge those).
    ContentLengthTwice BAD_REQUEST "Content-Length is given more than once",
    /// Both framings (§6.1: an attempt at request smuggling).
    ContentLengthWithTransferEncoding BAD_REQUEST "both Content-Length and Transfer-Encoding are given",
    /// Transfer-Encoding in HTTP/1.0 (§6.1).
    TransferEncodingInHttp10 BAD_REQUEST "Transfer-Encoding is given in HTTP/1.0",
    /// Not a list of codings, with `chunked` once and last (§6.1, §6.3).
    TransferEncodingSyntax BAD_REQUEST "Transfer-Encoding does not end in chunked, once",
    /// A transfer coding that we do not decode (§6.1).
    TransferCodingUnknown NOT_IMPLEMENTED "Transfer-Encoding names a coding other than chunked",
    /// An expectation other than `100-continue` (RFC 9110 §10.1.1).
    ExpectationUnknown EXPECTATION_FAILED "Expect is not 100-continue",
    /// Not 1 to 16 hexadecimal digits (§7.1).
    ChunkSize BAD_REQUEST "a chunk size is malformed",
    /// Not a list of names and values (§7.1.1).
    ChunkExtension BAD_REQUEST "a chunk extension is malformed",
    /// More bytes of chunk extensions than the limit (§7.1.1).
    ChunkExtensionsTooLarge BAD_REQUEST "too many bytes of chunk extensions",
    /// Chunk data that is not followed by CR LF (§7.1).
    ChunkEnd BAD_REQUEST "chunk data does not end with CR LF",
    /// A trailer field that is none (§7.1.2).
    TrailerSyntax BAD_REQUEST "a trailer field is malformed",
    /// More bytes of trailers than the limit (§7.1.2).
    TrailersTooLarge REQUEST_HEADER_FIELDS_TOO_LARGE "the trailers are too large",
    /// The head was not complete in time.
    HeadTimeout REQUEST_TIMEOUT "the request head was not complete in time",
    /// No content came for too long.
    ContentTimeout REQUEST_TIMEOUT "the request content did not come in time",
}

impl std::error::Error for PeerError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_line_names_the_rule_and_the_status_is_an_error() {
        assert_eq!(PeerError::HostTwice.to_string(), "Host is given more than once");
        assert_eq!(PeerError::HostTwice.status(), Status::BAD_REQUEST);
        assert_eq!(PeerError::Http2Preface.status().code(), 505);
        assert_eq!(PeerError::MethodUnknown.status().code(), 501);
    }
}
