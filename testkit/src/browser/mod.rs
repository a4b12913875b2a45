//! A page in a real browser: what it shows, what it says on its console, what it asks of the
//! network.
//!
//! Each [`Page`] is a headless Chromium of its own with a fresh profile, steered by the DevTools
//! protocol over a pipe. That takes a quarter of a second and no driver, and the browser ends with
//! the pipe: also when the test process is killed.

mod pipe;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use self::pipe::Pipe;
use crate::paths;

/// The browser: the one that `MALLARD_TEST_CHROMIUM` names, else the first that is installed.
#[must_use]
pub fn program() -> Option<PathBuf> {
    let named = std::env::var_os("MALLARD_TEST_CHROMIUM").map(PathBuf::from);
    // The shell is a fifth of the size and starts faster.
    let known = ["chromium-headless-shell", "chromium", "google-chrome"];
    named.or_else(|| known.iter().find_map(|name| paths::program(name)))
}

/// How long drawing a page takes at most where the page cannot be asked whether it is drawn.
const DRAWN_WITHIN: Duration = Duration::from_millis(200);

/// How the reader looks at the page.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Width of the window in CSS pixels.
    pub width: u32,
    /// Height of the window in CSS pixels.
    pub height: u32,
    /// Device pixels for each CSS pixel.
    pub scale: f64,
    /// Whether the system is set to dark.
    pub dark: bool,
    /// Whether it is a phone: narrow, and heeding the page's viewport tag.
    pub phone: bool,
    /// Whether scripts run; in the preview of a mail program they do not.
    pub scripts: bool,
}

impl View {
    /// A window on a laptop, light.
    pub const DESKTOP: Self =
        Self { width: 1280, height: 900, scale: 1.0, dark: false, phone: false, scripts: true };
    /// A phone held upright, light.
    pub const PHONE: Self =
        Self { width: 390, height: 844, scale: 2.0, dark: false, phone: true, scripts: true };

    /// The same in the dark.
    #[must_use]
    pub const fn dark(self) -> Self {
        Self { dark: true, ..self }
    }

    /// The same without scripts.
    #[must_use]
    pub const fn without_scripts(self) -> Self {
        Self { scripts: false, ..self }
    }
}

/// A line of the browser's console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleLine {
    /// `log`, `info`, `warning`, `error`, …; `exception` for one that nobody caught.
    pub level: String,
    /// What it says.
    pub text: String,
}

/// A page that is open in a browser. Dropping it closes the browser.
///
/// Every method panics when the browser refuses or does not answer in time; the message says what
/// it was asked.
#[derive(Debug)]
pub struct Page {
    pipe: Pipe,
    url: String,
    scripts: bool,
}

impl Page {
    /// Opens a file in a new browser and waits until it has loaded and has been drawn.
    ///
    /// # Panics
    ///
    /// When there is no browser or no such file.
    #[track_caller]
    #[must_use]
    pub fn open(file: &Path, view: View) -> Self {
        let file = file
            .canonicalize()
            .unwrap_or_else(|error| panic!("no page {}: {error}", file.display()));
        let url = format!("file://{}", file.display()).replace('%', "%25").replace(' ', "%20");
        Self::visit(&url, view)
    }

    /// Opens an address in a new browser and waits until it has loaded and has been drawn.
    ///
    /// # Panics
    ///
    /// When there is no browser.
    #[track_caller]
    #[must_use]
    pub fn visit(url: &str, view: View) -> Self {
        let url = url.to_owned();
        let browser =
            program().unwrap_or_else(|| panic!("no browser: the test lacks its testkit::require!"));
        let mut page = Self { pipe: Pipe::start(&browser), url, scripts: view.scripts };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.pipe.call(&format!("{domain}.enable"), json!({}));
        }
        page.look(view);
        let url = page.url.clone();
        page.pipe.call("Page.navigate", json!({ "url": url }));
        page.pipe.wait_for_event("Page.loadEventFired");
        page.settle();
        page
    }

    /// Looks at the page in another way from now on.
    pub fn look(&mut self, view: View) {
        let View { width, height, scale, dark, phone, scripts } = view;
        let window = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone });
        self.pipe.call("Emulation.setDeviceMetricsOverride", window);
        let scheme = if dark { "dark" } else { "light" };
        let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.pipe.call("Emulation.setEmulatedMedia", scheme);
        self.pipe.call("Emulation.setScriptExecutionDisabled", json!({ "value": !scripts }));
        self.scripts = scripts;
    }

    /// The value of a JavaScript expression; a promise is awaited.
    #[track_caller]
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let asked =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut answer = self.pipe.call("Runtime.evaluate", asked);
        let exception = &answer["exceptionDetails"];
        assert!(exception.is_null(), "{expression} threw {}", exception_text(exception));
        answer["result"]["value"].take()
    }

    /// The document as it stands now, after its scripts have run, as HTML.
    #[track_caller]
    pub fn dom(&mut self) -> String {
        self.string("document.documentElement.outerHTML")
    }

    /// The visible text of the first element that a CSS selector finds.
    #[track_caller]
    pub fn text(&mut self, selector: &str) -> String {
        self.string(&format!("document.querySelector({}).innerText", json!(selector)))
    }

    /// How many elements a CSS selector finds.
    #[track_caller]
    pub fn count(&mut self, selector: &str) -> u64 {
        self.evaluate(&format!("document.querySelectorAll({}).length", json!(selector)))
            .as_u64()
            .unwrap_or_default()
    }

    /// By how many pixels the page is wider than its window; zero where nobody has to scroll
    /// sideways.
    #[track_caller]
    pub fn sideways_overflow_px(&mut self) -> u64 {
        let width = "Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)";
        self.evaluate(width).as_u64().unwrap_or_default()
    }

    /// Everything said on the console since the page was opened.
    pub fn console(&mut self) -> Vec<ConsoleLine> {
        self.settle();
        self.pipe.events().iter().filter_map(console_line).collect()
    }

    /// What the console shows in red or yellow: errors, warnings, uncaught exceptions.
    pub fn errors(&mut self) -> Vec<ConsoleLine> {
        let mut lines = self.console();
        lines.retain(|line| {
            ["error", "warning", "exception", "assert"].contains(&line.level.as_str())
        });
        lines
    }

    /// The addresses that the page has asked for besides itself; none, if it is all in one file.
    /// Data that stands in the page itself does not count.
    pub fn requests(&mut self) -> BTreeSet<String> {
        self.settle();
        let asked = self
            .pipe
            .events()
            .iter()
            .filter(|event| event["method"] == "Network.requestWillBeSent");
        asked
            .filter_map(|event| event["params"]["request"]["url"].as_str())
            .filter(|url| {
                *url != self.url && !url.starts_with("data:") && !url.starts_with("blob:")
            })
            .map(str::to_owned)
            .collect()
    }

    /// Moves the pointer to a place in the window.
    pub fn hover(&mut self, x: f64, y: f64) {
        self.mouse("mouseMoved", (x, y), 0);
        self.settle();
    }

    /// Moves the pointer over the middle of an element, which is scrolled into view.
    #[track_caller]
    pub fn hover_on(&mut self, selector: &str) {
        let (x, y) = self.middle_of(selector);
        self.hover(x, y);
    }

    /// Clicks on the middle of an element, which is scrolled into view.
    #[track_caller]
    pub fn click_on(&mut self, selector: &str) {
        let place = self.middle_of(selector);
        self.drag(place, place);
    }

    /// Presses the left button at one place, moves, and lets go at another.
    pub fn drag(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.mouse("mouseMoved", from, 0);
        self.mouse("mousePressed", from, 1);
        if from != to {
            self.mouse("mouseMoved", ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0), 1);
            self.mouse("mouseMoved", to, 1);
        }
        self.mouse("mouseReleased", to, 0);
        self.settle();
    }

    /// The middle of an element in the window, after scrolling it into view.
    #[track_caller]
    pub fn middle_of(&mut self, selector: &str) -> (f64, f64) {
        let place = self.evaluate(&format!(
            "(() => {{
                const element = document.querySelector({});
                element.scrollIntoView({{ block: 'center', behavior: 'instant' }});
                const box = element.getBoundingClientRect();
                return [box.x + box.width / 2, box.y + box.height / 2];
            }})()",
            json!(selector)
        ));
        (place[0].as_f64().unwrap_or_default(), place[1].as_f64().unwrap_or_default())
    }

    /// Presses a key that has a name (`Tab`, `Enter`, ` `), or writes a letter, where the focus is.
    pub fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Tab" => (9, ""),
            " " => (32, " "),
            letter => (0, letter),
        };
        for kind in ["keyDown", "keyUp"] {
            let event = json!({ "type": kind, "key": key, "text": if kind == "keyDown" { text } else { "" },
                "windowsVirtualKeyCode": code });
            self.pipe.call("Input.dispatchKeyEvent", event);
        }
        self.settle();
    }

    /// Writes what the window shows to a PNG file.
    #[track_caller]
    pub fn screenshot(&mut self, png: &Path) {
        self.settle();
        self.capture("Page.captureScreenshot", json!({}), png);
    }

    /// Writes the whole page, however long, to a PNG file.
    #[track_caller]
    pub fn screenshot_whole(&mut self, png: &Path) {
        self.settle();
        self.capture("Page.captureScreenshot", json!({ "captureBeyondViewport": true }), png);
    }

    /// Prints the page to a PDF file.
    #[track_caller]
    pub fn print_to_pdf(&mut self, pdf: &Path) {
        let paper = json!({ "printBackground": true, "preferCSSPageSize": true });
        self.capture("Page.printToPDF", paper, pdf);
    }

    #[track_caller]
    fn capture(&mut self, method: &str, params: Value, file: &Path) {
        let answer = self.pipe.call(method, params);
        let bytes = crate::base64::decode(answer["data"].as_str().unwrap_or_default());
        fs::write(file, bytes)
            .unwrap_or_else(|error| panic!("failed to write {}: {error}", file.display()));
    }

    fn mouse(&mut self, kind: &str, (x, y): (f64, f64), buttons: u8) {
        let pressing = kind != "mouseMoved";
        let event = json!({
            "type": kind, "x": x, "y": y, "buttons": buttons,
            "button": if pressing { "left" } else { "none" }, "clickCount": u8::from(pressing),
        });
        self.pipe.call("Input.dispatchMouseEvent", event);
    }

    /// Lets what was just caused happen: scripts, layout, drawing.
    fn settle(&mut self) {
        // Where scripts are off, no promise is ever kept.
        if !self.scripts {
            return std::thread::sleep(DRAWN_WITHIN);
        }
        let two_frames = "new Promise(done =>
            requestAnimationFrame(() => requestAnimationFrame(() => done(true))))";
        let asked = json!({ "expression": two_frames, "awaitPromise": true });
        self.pipe.call("Runtime.evaluate", asked);
    }

    #[track_caller]
    fn string(&mut self, expression: &str) -> String {
        self.evaluate(expression).as_str().unwrap_or_default().to_owned()
    }
}

fn console_line(event: &Value) -> Option<ConsoleLine> {
    let params = &event["params"];
    let (level, text) = match event["method"].as_str()? {
        "Runtime.consoleAPICalled" => {
            let words = params["args"].as_array()?.iter().map(argument_text).collect::<Vec<_>>();
            (params["type"].as_str()?, words.join(" "))
        }
        "Runtime.exceptionThrown" => ("exception", exception_text(&params["exceptionDetails"])),
        "Log.entryAdded" => {
            let entry = &params["entry"];
            (
                entry["level"].as_str()?,
                format!("{} {}", entry["text"].as_str()?, entry["url"].as_str().unwrap_or("")),
            )
        }
        _ => return None,
    };
    Some(ConsoleLine { level: level.to_owned(), text })
}

fn argument_text(argument: &Value) -> String {
    let text = argument["value"].as_str().or_else(|| argument["description"].as_str());
    text.map_or_else(|| argument["value"].to_string(), str::to_owned)
}

fn exception_text(details: &Value) -> String {
    let text = details["exception"]["description"].as_str().or_else(|| details["text"].as_str());
    text.unwrap_or("an exception").to_owned()
}
