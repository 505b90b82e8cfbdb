//! What a browser has received and what it has said, from the logs that ChromeDriver keeps of it.

use std::collections::HashMap;

use super::super::Json;

/// One resource: how its request ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exchange {
    pub(crate) method: String,
    pub(crate) url: String,
    /// What it is to the page: `Document`, `Stylesheet`, `Script`, `Image`, `Font`, `XHR`, `Fetch`…
    pub(crate) kind: String,
    pub(crate) status: Option<u16>,
    pub(crate) media_type: String,
    /// Chromium's word for what went wrong: `net::ERR_NAME_NOT_RESOLVED`.
    pub(crate) error: Option<String>,
}

/// Everything so far.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) exchanges: Vec<Exchange>,
    /// Errors on the console: exceptions that nobody caught, `console.error`, what the browser itself refuses. That a
    /// resource could not be loaded is said by its exchange.
    pub(crate) console_errors: Vec<String>,
    /// The place of an exchange, by the number that the browser gives it.
    places: HashMap<String, usize>,
}

/// What is looked at, as it stands in the log.
const EVENTS: [&str; 3] =
    ["\"Network.requestWillBeSent\"", "\"Network.responseReceived\"", "\"Network.loadingFailed\""];

impl Record {
    /// Adds an entry of the log `kind`.
    pub(super) fn add(&mut self, kind: &str, entry: &Json) {
        let message = entry["message"].as_str().unwrap_or_default();
        if kind == "browser" {
            if entry["level"].as_str() == Some("SEVERE") && entry["source"].as_str() != Some("network") {
                self.console_errors.push(message.to_owned());
            }
            return;
        }
        // Most of the log is of other events.
        if !EVENTS.iter().any(|event| message.contains(event)) {
            return;
        }
        let event = Json::parse(message);
        let (event, parameters) = (&event["message"]["method"], &event["message"]["params"]);
        let id = parameters["requestId"].as_str().unwrap_or_default();
        match event.as_str().unwrap_or_default() {
            "Network.requestWillBeSent" => self.request(id, parameters),
            "Network.responseReceived" => self.response(id, &parameters["response"]),
            "Network.loadingFailed" if parameters["canceled"] != Json::Bool(true) => {
                if let Some(exchange) = self.exchange(id) {
                    exchange.error = parameters["errorText"].as_str().map(str::to_owned);
                }
            }
            _ => {}
        }
    }

    fn request(&mut self, id: &str, parameters: &Json) {
        // A redirect keeps the number; the answer that redirects comes with the next request.
        if parameters["redirectResponse"] != Json::Null {
            self.response(id, &parameters["redirectResponse"]);
        }
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        self.places.insert(id.to_owned(), self.exchanges.len());
        self.exchanges.push(Exchange {
            method: text(&parameters["request"]["method"]),
            url: text(&parameters["request"]["url"]),
            kind: text(&parameters["type"]),
            ..Exchange::default()
        });
    }

    fn response(&mut self, id: &str, response: &Json) {
        if let Some(exchange) = self.exchange(id) {
            exchange.status = response["status"].as_number().map(|status| status as u16);
            exchange.media_type = response["mimeType"].as_str().unwrap_or_default().to_owned();
        }
    }

    fn exchange(&mut self, id: &str) -> Option<&mut Exchange> {
        self.exchanges.get_mut(*self.places.get(id)?)
    }
}
