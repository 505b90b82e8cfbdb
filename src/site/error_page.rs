//! What a person sees when there is no other answer: the operator's own page, or the status and its name, nothing about
//! us or the request.

use bytes::Bytes;

use crate::http::message::Response;
use crate::http::status::Status;

/// A response head and its content for an error that the server itself reports. The caller sends the length with it
/// and adds what the status asks for, as `Allow` and `Retry-After`.
pub fn error_response(status: Status) -> (Response, Bytes) {
    let mut response = Response::new(status);
    response.headers.add("Content-Type", b"text/html; charset=utf-8");
    (response, page(status))
}

/// The operator's own pages for errors that the server itself reports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorPages {
    /// Each a status and a path below the document root, which begins with a slash. One that ends in `.php` is a
    /// script.
    pub pages: Vec<(Status, String)>,
}

impl ErrorPages {
    /// The page for an error.
    pub fn get(&self, status: Status) -> Option<&str> {
        self.pages.iter().find(|(of, _)| *of == status).map(|(_, path)| &path[..])
    }
}

macro_rules! page {
    ($title:expr) => {
        concat!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
            "<title>",
            $title,
            "</title>\n<style>\n:root { color-scheme: light dark; }\n",
            "body { display: grid; place-content: center; min-height: 90vh; margin: 0; ",
            "font-family: system-ui, sans-serif; }\n",
            "h1 { font-size: 1.5rem; font-weight: 500; }\n</style>\n</head>\n<body>\n<h1>",
            $title,
            "</h1>\n</body>\n</html>\n"
        )
    };
}

macro_rules! pages {
    ($($code:literal $reason:literal,)*) => {
        /// The errors that the server reports under load or attack: their pages are ready.
        const PAGES: &[(u16, &str)] = &[$(($code, page!(concat!($code, " ", $reason))),)*];
    };
}

pages! {
    400 "Bad Request",
    403 "Forbidden",
    404 "Not Found",
    405 "Method Not Allowed",
    408 "Request Timeout",
    412 "Precondition Failed",
    413 "Content Too Large",
    414 "URI Too Long",
    416 "Range Not Satisfiable",
    417 "Expectation Failed",
    431 "Request Header Fields Too Large",
    500 "Internal Server Error",
    501 "Not Implemented",
    503 "Service Unavailable",
    505 "HTTP Version Not Supported",
}

fn page(status: Status) -> Bytes {
    match PAGES.iter().find(|(code, _)| *code == status.code()) {
        Some((_, page)) => Bytes::from_static(page.as_bytes()),
        None => {
            let title = format!("{} {}", status.code(), status.reason());
            Bytes::from(page!("{}").replace("{}", title.trim_end()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_say_the_status_and_nothing_else() {
        for code in 400..600 {
            let status = Status::from_code(code).unwrap();
            let (response, page) = error_response(status);
            assert_eq!(response.status, status);
            let page = std::str::from_utf8(&page).unwrap();
            let title = format!("{code} {}", status.reason());
            assert!(page.contains(&format!("<title>{}</title>", title.trim_end())), "{page}");
            assert!(page.contains(&format!("<h1>{}</h1>", title.trim_end())));
            assert!(!page.to_ascii_lowercase().contains("ephpm") && !page.contains(env!("CARGO_PKG_VERSION")));
        }
    }

    #[test]
    fn prepared_pages_are_not_copied() {
        let address = |code| error_response(Status::from_code(code).unwrap()).1.as_ptr();
        for (code, _) in PAGES {
            assert_eq!(address(*code), address(*code), "{code}");
        }
    }
}
