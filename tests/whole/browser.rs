//! A headless Chromium, spoken to over a pipe, and axe in the page.
//!
//! Hidden here: the `DevTools` protocol. It needs no port, so nothing else on the machine can speak to the browser.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};

const AXE: &str = "4.6.3";
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    session: String,
    next: u64,
    /// What happened meanwhile.
    pub(crate) events: Vec<Value>,
    _profile: tempfile::TempDir,
}

/// The program, which `tests/run` installs. Without it nothing of the page would be tested, so its lack is a failure.
fn program() -> String {
    if let Ok(program) = std::env::var("REENACT_CHROMIUM") {
        return program;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| std::env::split_paths(&path).any(|folder| folder.join(name).is_file()));
    found.expect("Chromium is missing: tests/run installs it, or REENACT_CHROMIUM names it").to_owned()
}

fn axe() -> String {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .expect("a cache");
    let file = std::env::var_os("REENACT_AXE")
        .map_or_else(|| cache.join(format!("reenact/axe-core/{AXE}/axe.min.js")), PathBuf::from);
    std::fs::read_to_string(&file)
        .unwrap_or_else(|_| panic!("axe is missing ({}): tests/run fetches it", file.display()))
}

impl Browser {
    pub(crate) fn open() -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1"])
            .arg(program())
            // A container's root has no sandbox; the pages are our own.
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"])
            .args(["--disable-dev-shm-usage", "--disable-background-networking", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let (to, mut out) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let (send, from) = channel();
        std::thread::spawn(move || {
            let (mut buffer, mut piece) = (Vec::new(), vec![0; 65536]);
            while let Ok(read @ 1..) = out.read(&mut piece) {
                buffer.extend_from_slice(&piece[..read]);
                while let Some(end) = buffer.iter().position(|byte| *byte == 0) {
                    let message: Vec<u8> = buffer.drain(..=end).collect();
                    let Ok(message) = serde_json::from_slice(&message[..end]) else { return };
                    if send.send(message).is_err() {
                        return;
                    }
                }
            }
        });
        let mut browser =
            Self { child, to, from, session: String::new(), next: 0, events: Vec::new(), _profile: profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        attached["sessionId"].as_str().expect("a session").clone_into(&mut browser.session);
        for domain in ["Page", "Log", "Runtime", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Calls a method, and waits for its answer.
    pub(crate) fn call(&mut self, method: &str, params: impl Into<Value>) -> Value {
        self.next += 1;
        let mut message = json!({ "id": self.next, "method": method, "params": params.into() });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).expect("writes");
        loop {
            let answer = self.from.recv_timeout(PATIENCE).expect("the browser answers");
            if answer["id"] == json!(self.next) {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    /// Goes to a page, and waits until it is loaded.
    pub(crate) fn go(&mut self, url: &str) {
        self.events.clear();
        let gone = self.call("Page.navigate", json!({ "url": url }));
        assert!(gone["errorText"].is_null(), "{gone}");
        self.loaded();
    }

    /// Waits until the page has loaded itself again.
    pub(crate) fn wait_for_load(&mut self) {
        self.events.clear();
        self.loaded();
    }

    fn loaded(&mut self) {
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.from.recv_timeout(PATIENCE).expect("the page loads");
            self.events.push(event);
        }
    }

    /// The value of an expression in the page.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let result = self.call("Runtime.evaluate", params);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {}", result["exceptionDetails"]);
        result["result"]["value"].clone()
    }

    /// The kind of medium, colours and width.
    pub(crate) fn look(&mut self, medium: &str, scheme: &str, width: u32) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "media": medium, "features": features }));
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// What axe finds wrong, each with the places; nothing is well.
    pub(crate) fn accessibility(&mut self) -> Vec<String> {
        let axe = axe();
        self.eval(&format!("{axe}; true"));
        let found = self.eval(
            "axe.run(document, { resultTypes: ['violations'] }).then((r) => r.violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html).slice(0, 3).join(' | ')}`))",
        );
        serde_json::from_value(found).expect("a list")
    }

    /// Writes a picture of the whole page into the folder that `REENACT_SCREENSHOTS` names, for people.
    pub(crate) fn picture(&mut self, name: &str) {
        let Some(folder) = std::env::var_os("REENACT_SCREENSHOTS") else { return };
        let shot = self.call("Page.captureScreenshot", json!({ "captureBeyondViewport": true }));
        let bytes = base64::engine::general_purpose::STANDARD.decode(shot["data"].as_str().expect("data"));
        std::fs::write(PathBuf::from(folder).join(format!("{name}.png")), bytes.expect("base 64")).expect("writes");
    }

    /// Addresses that were asked for since the last page, without the page itself.
    pub(crate) fn asked(&self, page: &str) -> Vec<String> {
        let asked = self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        asked
            .filter_map(|event| event["params"]["request"]["url"].as_str())
            .filter(|url| *url != page)
            .map(str::to_owned)
            .collect()
    }

    /// What the browser complained of: breaches of the policy of contents, errors, dialogs.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let bad = ["Log.entryAdded", "Runtime.exceptionThrown", "Page.javascriptDialogOpening"];
        let events = self.events.iter().filter(|event| bad.iter().any(|bad| event["method"] == *bad));
        events.map(|event| event["params"].to_string()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
