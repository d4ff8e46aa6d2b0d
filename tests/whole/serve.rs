//! `policy serve`: who may look, and that the page follows the files.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::browser::Browser;
use crate::support::{POLICY, Shop};

struct Served {
    child: Child,
    address: String,
    token: String,
}

impl Served {
    fn start(shop: &Shop) -> Self {
        Self::with(shop, &[])
    }

    fn with(shop: &Shop, more: &[&str]) -> Self {
        let mut child = shop
            .command()
            .args(["policy", "serve", "pipeline.yaml"])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let mut link = String::new();
        BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut link).expect("a link");
        let (address, token) = link.trim().split_once("/enter?token=").expect("a link with a token");
        let address = address.strip_prefix("http://").expect("http").to_owned();
        assert!(address.starts_with("127.0.0.1:"), "{address}");
        Self { child, address, token: token.to_owned() }
    }

    /// The whole answer to a request with these lines in its head.
    fn ask(&self, line: &str, head: &[&str]) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("connects");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
        let head = [&["Connection: close"], head, &["", ""]].concat().join("\r\n");
        write!(stream, "{line} HTTP/1.1\r\n{head}").expect("writes");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("reads");
        answer
    }

    fn get(&self, path: &str, more: &[&str]) -> String {
        let host = format!("Host: {}", self.address);
        self.ask(&format!("GET {path}"), &[&[host.as_str()], more].concat())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).expect("a status")
}

#[test]
fn only_the_holder_of_the_link_looks_and_nobody_sends() {
    let shop = Shop::open();
    let served = Served::start(&shop);
    let enter = format!("/enter?token={}", served.token);
    assert_eq!(status(&served.get("/", &[])), "403");
    assert_eq!(status(&served.get("/enter?token=", &[])), "403");
    assert_eq!(status(&served.get(&format!("/enter?token={}", "0".repeat(64)), &[])), "403");
    // A stranger's name for this machine, and a stranger's page, do not use the token up.
    assert_eq!(status(&served.ask(&format!("GET {enter}"), &["Host: evil.example"])), "421");
    assert_eq!(status(&served.get(&enter, &["Origin: http://evil.example"])), "403");
    assert_eq!(status(&served.get(&enter, &["Origin: null"])), "403");
    let entered = served.get(&enter, &[]);
    assert_eq!(status(&entered), "303");
    let cookie = entered.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    assert_eq!(status(&served.get(&enter, &[])), "403", "a link opens once");
    let session = format!("Cookie: other=1; {}", cookie.split(';').next().expect("a pair"));
    let page = served.get("/", &[&session]);
    assert_eq!(status(&page), "200");
    for part in [
        "content-security-policy: default-src 'none';",
        "frame-ancestors 'none'",
        "cache-control: no-store",
        "reenact policy approve pipeline.yaml --digest ",
    ] {
        assert!(page.contains(part), "`{part}` is not in {page}");
    }
    let keys = ["signing.key", "root.key", "identity.age"]
        .map(|name| std::fs::read_to_string(shop.path("keys").join(name)).expect("reads"));
    assert!(keys.iter().all(|key| !page.contains(key.trim())), "the page holds a key");
    assert!(!page.to_lowercase().contains("canary"), "the page holds a value");
    assert_eq!(status(&served.ask("GET /", &["Host: evil.example", &session])), "421");
    assert_eq!(status(&served.get("/", &[&session, "Origin: http://evil.example"])), "403");
    let host = format!("Host: {}", served.address);
    assert_eq!(status(&served.ask("POST /", &[&host, &session, "Content-Length: 0"])), "405");
    assert_eq!(status(&served.get("/keys/signing.key", &[&session])), "404");
}

#[test]
fn the_page_follows_the_files() {
    let shop = Shop::open();
    let served = Served::start(&shop);
    let mut browser = Browser::open();
    browser.go(&format!("http://{}/enter?token={}", served.address, served.token));
    let live = "new Promise((done) => { const look = () => document.getElementById('live')?.textContent.startsWith('Live') ? done(true) : setTimeout(look, 50); look(); })";
    assert_eq!(browser.eval(live), true);
    assert_eq!(browser.accessibility(), [""; 0]);
    assert_eq!(browser.eval("document.cookie"), "", "scripts can't read the cookie");
    shop.write("policy.yaml", &POLICY.replace("reason: test", "reason: something else"));
    browser.wait_for_load();
    assert_eq!(browser.eval("document.querySelector('main').textContent.includes('something else')"), true);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn the_page_also_follows_what_was_approved_and_the_bundle() {
    let shop = Shop::open();
    shop.write("before.yaml", POLICY);
    assert!(shop.capture("bundle").status.success());
    let served = Served::with(&shop, &["--approved", "before.yaml", "--bundle", "bundle"]);
    let entered = served.get(&format!("/enter?token={}", served.token), &[]);
    let cookie = entered.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
    let session = format!("Cookie: {}", cookie.split(';').next().expect("a pair"));
    let version = || served.get("/version", &[&session]).lines().last().expect("a text").to_owned();
    let first = version();
    assert_eq!(first, version());
    shop.write("before.yaml", &POLICY.replace("reason: test", "reason: another"));
    let second = version();
    assert_ne!(first, second, "what was approved is another");
    std::fs::remove_dir_all(shop.path("bundle")).expect("removes");
    assert!(shop.capture("bundle").status.success());
    assert_ne!(second, version(), "the bundle is another");
}
