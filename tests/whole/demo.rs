//! The demo, and what it keeps.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Shop, text};

/// A folder for temporary files that the accounts of servers may enter.
fn temporary() -> tempfile::TempDir {
    let open = std::fs::Permissions::from_mode(0o755);
    tempfile::Builder::new().prefix("demo-").permissions(open).tempdir().expect("a folder")
}

fn entries(folder: &tempfile::TempDir) -> Vec<PathBuf> {
    std::fs::read_dir(folder).expect("reads").map(|e| e.expect("an entry").path()).collect()
}

#[test]
fn what_the_demo_keeps_can_be_opened_with_the_commands_that_it_prints() {
    let (shop, temporary) = (Shop::open(), temporary());
    let output = shop.command().env("TMPDIR", temporary.path()).args(["demo", "--keep"]).output().expect("runs");
    let told = text(&output);
    assert!(output.status.success(), "{told}");
    let [kept] = &entries(&temporary)[..] else { panic!("one folder is kept: {told}") };
    assert!(told.contains(&format!("kept: {}", kept.display())), "{told}");
    assert_eq!(kept.metadata().expect("metadata").permissions().mode() & 0o777, 0o700);
    for name in ["keys/root.key", "keys/identity.age", "embedded.yaml", "embedded-policy.yaml", "incident.reenact"] {
        assert!(kept.join(name).exists(), "{name}");
    }
    let after = told.rsplit("kept: ").next().expect("what is kept");
    let commands: Vec<&str> = after.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    let run = |command: &str| -> Output {
        let program = shop.command();
        let mut shell = Command::new("sh");
        shell.current_dir(shop.folder.path()).env("TMPDIR", temporary.path()).arg("-c").arg(command);
        for (name, value) in program.get_envs() {
            shell.env(name, value.expect("a value"));
        }
        shell.output().expect("runs")
    };
    let [inspect, why, replay] = commands[..] else { panic!("three commands: {told}") };
    for (command, code, expected) in [
        (inspect, 0, "pseudonymised personal data"),
        (why, 0, "root 1 (seed.order)"),
        (replay, 1, "was billed 2 times"),
    ] {
        let output = run(command);
        assert!(output.status.code() == Some(code) && text(&output).contains(expected), "{command}: {}", text(&output));
    }
    assert_eq!(entries(&temporary).len(), 1, "the replay left something");
    assert!(!shop.ok(&["ps"]).contains("sqlite"), "an environment was left");
}

#[test]
fn a_demo_that_is_not_kept_leaves_nothing() {
    let (shop, temporary) = (Shop::open(), temporary());
    let output = shop.command().env("TMPDIR", temporary.path()).arg("demo").output().expect("runs");
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(entries(&temporary), Vec::<PathBuf>::new());
}

#[test]
fn a_killed_demo_is_removed_by_gc() {
    let (shop, temporary) = (Shop::open(), temporary());
    let of_demo = |path: &PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("reenact-demo-"));
    // Killed at once, with the pipeline written, and with a bundle in the making or made.
    for stage in ["", "embedded-policy.yaml", "keys/root.key", "incident.reenact"] {
        let mut command = shop.command();
        command.env("TMPDIR", temporary.path()).args(["demo", "--keep"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("starts");
        let deadline = Instant::now() + Duration::from_mins(1);
        let reached = || entries(&temporary).iter().any(|path| of_demo(path) && path.join(stage).exists());
        while !reached() {
            assert!(Instant::now() < deadline && child.try_wait().expect("waits").is_none(), "`{stage}` never came");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().expect("kills");
        child.wait().expect("ends");
        assert!(entries(&temporary).iter().any(of_demo), "killed too late for this test to mean anything");
        let collected = shop.command().env("TMPDIR", temporary.path()).args(["gc", "."]).output().expect("runs");
        assert!(collected.status.success(), "{}", text(&collected));
        assert_eq!(entries(&temporary), Vec::<PathBuf>::new(), "something is left of a demo killed at `{stage}`");
    }
}

#[test]
fn what_a_demo_kept_is_left_by_gc() {
    let (shop, temporary) = (Shop::open(), temporary());
    let output = shop.command().env("TMPDIR", temporary.path()).args(["demo", "--keep"]).output().expect("runs");
    assert!(output.status.success(), "{}", text(&output));
    shop.ok(&["gc", "."]);
    let [kept] = &entries(&temporary)[..] else { panic!("one folder is kept") };
    assert!(kept.join("keys/root.key").exists());
    shop.ok(&["down", "--all"]);
    assert!(kept.join("keys/root.key").exists());
}

#[test]
fn a_demo_without_a_redis_server_says_so_and_plays_all_the_same() {
    let (shop, temporary) = (Shop::open(), temporary());
    let mut command = shop.command();
    command.env("TMPDIR", temporary.path()).env("REENACT_PROGRAMS", temporary.path());
    let told = text(&command.arg("demo").output().expect("runs"));
    assert!(told.contains("cart       in-memory store (no redis-server found)"), "{told}");
    assert!(told.contains("cart/cart            1") && told.contains("exit code 1, as in production"), "{told}");
    assert_eq!(entries(&temporary), Vec::<PathBuf>::new());
    // With one, it says that.
    let mut command = shop.command();
    let told = text(&command.env("TMPDIR", temporary.path()).arg("demo").output().expect("runs"));
    assert!(told.contains("cart       redis"), "{told}");
}

#[test]
fn a_demo_needs_nothing_of_its_environment() {
    let (shop, temporary) = (Shop::open(), temporary());
    let program = env!("CARGO_BIN_EXE_reenact");
    // The register is the user's own, as it is without a home in the environment; the rest of it is nobody's business.
    let state = shop.path("state");
    let state = state.to_str().expect("a path");
    for variables in [&[][..], &[("REENACT_STATE_DIR", state)]] {
        let mut command = Command::new(program);
        command.current_dir(temporary.path()).env_clear().env("PATH", "/usr/bin").envs(variables.iter().copied());
        let output = command.arg("demo").output().expect("runs");
        assert!(output.status.success(), "{variables:?}: {}", text(&output));
        assert!(text(&output).contains("exit code 1, as in production"), "{}", text(&output));
    }
    assert_eq!(entries(&temporary), Vec::<PathBuf>::new());
}
