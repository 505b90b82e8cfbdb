//! A browser to test with: Chromium, without a window, driven through ChromeDriver (W3C WebDriver, a recommendation of 2018).
//!
//! ChromeDriver comes with the browser and speaks JSON over HTTP, so the client of the other tests drives it and no
//! crate is needed. Whatever a page needs time for is polled until a deadline; nothing sleeps for a while and hopes.
//! A browser keeps a record of every response and every console message ([`Record`]), which tests hold to account.
//! It reaches loopback only: any other host's name leads nowhere, at once and on every machine.

mod driver;
mod record;

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::thread::sleep;
use std::time::{Duration, Instant};

pub(crate) use driver::Driver;
pub(crate) use record::{Exchange, Record};

use super::Json;
use super::json::quote;

/// For a page, or something on it, to become what a test waits for.
const WAIT_TIMEOUT: Duration = Duration::from_secs(150);

/// Between two looks at a page.
const POLL: Duration = Duration::from_millis(50);

/// Large enough that WordPress shows its menus at full width.
const WINDOW: &str = "1280,1024";

/// The key under which WebDriver passes elements (section 11).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One window of one user, with cookies of its own. Dropping it closes it.
pub(crate) struct Browser {
    driver: Rc<Driver>,
    /// `/session/ID`
    session: String,
    /// `http://127.0.0.1:PORT`: what [`open`](Self::open) is relative to.
    origin: String,
    screenshots: PathBuf,
    name: String,
    record: Record,
}

impl Browser {
    /// A new window for the site at `origin`; `name` begins the names of its screenshots.
    #[track_caller]
    pub(crate) fn new(driver: &Rc<Driver>, origin: &str, screenshots: &Path, name: &str) -> Self {
        let profile = driver.profile(name);
        let arguments = [
            "--headless=new".to_owned(),
            // Its sandbox needs user namespaces, which root and containers do not have; the pages are our own.
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-quic".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1".to_owned(),
            "--lang=en-US".to_owned(),
            format!("--window-size={WINDOW}"),
            format!("--user-data-dir={}", profile.display()),
        ];
        let arguments = arguments.map(|argument| quote(&argument)).join(",");
        let wish = format!(
            "{{\"capabilities\":{{\"alwaysMatch\":{{\"browserName\":\"chrome\",\"unhandledPromptBehavior\":\"accept\",\
             \"timeouts\":{{\"script\":60000,\"pageLoad\":100000,\"implicit\":0}},\
             \"goog:chromeOptions\":{{\"args\":[{arguments}],\"perfLoggingPrefs\":{{\"enablePage\":false}}}},\
             \"goog:loggingPrefs\":{{\"browser\":\"ALL\",\"performance\":\"ALL\"}}}}}}}}"
        );
        let reply = driver.command("POST", "/session", &wish).unwrap_or_else(|error| panic!("no browser: {error}"));
        let id = reply["sessionId"].as_str().unwrap_or_else(|| panic!("no session in {reply:?}"));
        fs::create_dir_all(screenshots).expect("a writable target directory");
        Self {
            session: format!("/session/{id}"),
            driver: Rc::clone(driver),
            origin: origin.to_owned(),
            screenshots: screenshots.to_owned(),
            name: name.to_owned(),
            record: Record::default(),
        }
    }

    /// Loads a page of the site and waits until it is loaded.
    #[track_caller]
    pub(crate) fn open(&mut self, target: &str) {
        let url = format!("{}{target}", self.origin);
        self.expect("POST", "/url", &format!("{{\"url\":{}}}", quote(&url)));
    }

    /// Path and query of the page that is shown.
    #[track_caller]
    pub(crate) fn target(&mut self) -> String {
        let url = self.expect("GET", "/url", "");
        let url = url.as_str().expect("WebDriver's answer is a URL");
        url.strip_prefix(&self.origin).unwrap_or_else(|| panic!("{url} is away from {}", self.origin)).to_owned()
    }

    /// What a function body returns; `arguments[n]` are the texts given.
    #[track_caller]
    pub(crate) fn script(&mut self, body: &str, arguments: &[&str]) -> Json {
        let arguments = arguments.iter().map(|argument| quote(argument)).collect::<Vec<_>>().join(",");
        // What the function promises is waited for (section 13.2.1).
        self.expect("POST", "/execute/sync", &format!("{{\"script\":{},\"args\":[{arguments}]}}", quote(body)))
    }

    /// Waits until a JavaScript expression is true, or as good as; its value. It may throw meanwhile.
    #[track_caller]
    pub(crate) fn wait(&mut self, expression: &str) -> Json {
        let body = format!("return {expression}");
        let command = format!("{{\"script\":{},\"args\":[]}}", quote(&body));
        self.until(&format!("{expression} to be true"), |browser| {
            let value = browser.command("POST", "/execute/sync", &command)?;
            let false_values = [Json::Null, Json::Bool(false), Json::Number(0.0), Json::String(String::new())];
            if false_values.contains(&value) { Err(format!("it is {value:?}")) } else { Ok(value) }
        })
    }

    /// Waits until this text is on the page.
    #[track_caller]
    pub(crate) fn wait_for_text(&mut self, text: &str) {
        self.wait(&format!("document.body.innerText.includes({})", quote(text)));
    }

    /// Clicks as a user does: where the element is, once it is there, can be seen and is not covered.
    #[track_caller]
    pub(crate) fn click(&mut self, selector: &str) {
        self.until(&format!("{selector} to be clicked"), |browser| {
            let element = browser.find(selector)?;
            browser.command("POST", &format!("/element/{element}/click"), "{}").map(drop)
        });
    }

    /// Clicks what leads to another page, and waits until that is loaded.
    #[track_caller]
    pub(crate) fn click_away(&mut self, selector: &str) {
        self.script("window.stillHere = true", &[]);
        self.click(selector);
        self.wait("!window.stillHere && document.readyState === 'complete'");
    }

    /// Replaces what stands in a field. A page that moves the focus amidst the typing has it typed again.
    #[track_caller]
    pub(crate) fn fill(&mut self, selector: &str, text: &str) {
        let keys = format!("{{\"text\":{}}}", quote(text));
        self.until(&format!("{selector} to be filled"), |browser| {
            let element = browser.find(selector)?;
            browser.command("POST", &format!("/element/{element}/clear"), "{}")?;
            browser.command("POST", &format!("/element/{element}/value"), &keys)?;
            let value = browser.command("GET", &format!("/element/{element}/property/value"), "")?;
            if value.as_str() == Some(text) { Ok(()) } else { Err(format!("it holds {value:?}")) }
        });
    }

    /// Types into an element: into an editor; the path of a file into what takes files.
    #[track_caller]
    pub(crate) fn write(&mut self, selector: &str, text: &str) {
        let keys = format!("{{\"text\":{}}}", quote(text));
        self.until(&format!("{selector} to take text"), |browser| {
            let element = browser.find(selector)?;
            browser.command("POST", &format!("/element/{element}/value"), &keys).map(drop)
        });
    }

    /// Goes into a frame of the page: what follows happens there.
    #[track_caller]
    pub(crate) fn enter_frame(&mut self, selector: &str) {
        self.until(&format!("{selector} to be a frame"), |browser| {
            let element = browser.find(selector)?;
            browser.command("POST", "/frame", &format!("{{\"id\":{{\"{ELEMENT}\":\"{element}\"}}}}")).map(drop)
        });
    }

    /// Back to the page itself.
    #[track_caller]
    pub(crate) fn leave_frames(&mut self) {
        self.expect("POST", "/frame", "{\"id\":null}");
    }

    /// Whether an element is on the page now.
    #[track_caller]
    pub(crate) fn has(&mut self, selector: &str) -> bool {
        self.find(selector).is_ok()
    }

    /// Keeps a picture of what the window shows.
    #[track_caller]
    pub(crate) fn screenshot(&mut self, name: &str) {
        let picture = self.expect("GET", "/screenshot", "");
        let picture = decode_base64(picture.as_str().expect("WebDriver's answer is text"));
        let path = self.screenshots.join(format!("{}-{name}.png", self.name));
        fs::write(path, picture).expect("a writable target directory");
    }

    /// Everything that the browser has received and said since it was opened.
    #[track_caller]
    pub(crate) fn record(&mut self) -> &Record {
        for kind in ["performance", "browser"] {
            let entries = self.expect("POST", "/se/log", &format!("{{\"type\":\"{kind}\"}}"));
            for entry in entries.items() {
                self.record.add(kind, entry);
            }
        }
        &self.record
    }

    /// The element that a selector finds first: XPath if it begins with a slash, otherwise CSS.
    fn find(&mut self, selector: &str) -> Result<String, String> {
        let using = if selector.starts_with('/') { "xpath" } else { "css selector" };
        let command = format!("{{\"using\":\"{using}\",\"value\":{}}}", quote(selector));
        let element = self.command("POST", "/element", &command)?;
        element[ELEMENT].as_str().map(str::to_owned).ok_or_else(|| format!("not an element: {element:?}"))
    }

    /// Tries until it succeeds; at the deadline, shows the page and why it did not.
    #[track_caller]
    fn until<T>(&mut self, what: &str, mut attempt: impl FnMut(&mut Self) -> Result<T, String>) -> T {
        let deadline = Instant::now() + WAIT_TIMEOUT;
        loop {
            match attempt(self) {
                Ok(value) => return value,
                Err(_) if Instant::now() < deadline => sleep(POLL),
                Err(error) => {
                    let text = self.script("return document.title + '\\n' + document.body.innerText", &[]);
                    self.screenshot("failed");
                    let (text, url) = (text.as_str().unwrap_or_default().to_owned(), self.expect("GET", "/url", ""));
                    let shots = self.screenshots.display();
                    panic!("waited for {what}, but: {error}\nat {url:?}, pictures in {shots}\n{text}");
                }
            }
        }
    }

    fn command(&mut self, method: &str, path: &str, content: &str) -> Result<Json, String> {
        self.driver.command(method, &format!("{}{path}", self.session), content)
    }

    #[track_caller]
    fn expect(&mut self, method: &str, path: &str, content: &str) -> Json {
        match self.command(method, path, content) {
            Ok(value) => value,
            Err(error) => panic!("{method} {path} {content}: {error}"),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Err(error) = self.command("DELETE", "", "") {
            eprintln!("the browser did not close: {error}");
        }
    }
}

/// Base64 (RFC 4648 section 4), as WebDriver sends pictures.
fn decode_base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => panic!("not base64: {letter}"),
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xFF) as u8);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::decode_base64;

    #[test]
    fn base64_is_decoded() {
        // RFC 4648 section 10.
        for (text, bytes) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9vYmFy", "foobar")] {
            assert_eq!(decode_base64(text), bytes.as_bytes());
        }
        assert_eq!(decode_base64("+/8="), [0xFB, 0xFF]);
    }
}
