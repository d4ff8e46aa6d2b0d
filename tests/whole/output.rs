//! Output that can't be written: a full disk, a full stdout, a reader that went away.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

use crate::support::{Shop, fails, text};

/// Runs the program where no file can grow, as on a full disk.
fn without_space(shop: &Shop, args: &[&str]) -> Output {
    let program = shop.command();
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""]).arg(program.get_program()).args(args);
    for (name, value) in program.get_envs() {
        shell.env(name, value.expect("a value"));
    }
    shell.current_dir(shop.folder.path()).output().expect("runs")
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("reads").map(|e| e.expect("an entry").file_name());
    let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Runs the program with a stdout that takes nothing.
fn into_full(shop: &Shop, args: &[&str]) -> Output {
    let full = File::options().write(true).open("/dev/full").expect("opens");
    shop.command().args(args).stdout(full).stderr(Stdio::piped()).output().expect("runs")
}

#[test]
fn a_full_disk_leaves_no_half_of_a_file() {
    let shop = Shop::open();
    let before = names(shop.folder.path());
    for args in [
        &["plan", "pipeline.yaml", "-o", "plan.json"][..],
        &["policy", "check", "pipeline.yaml", "--save-schemas", "schemas.json"],
        &["keys", "init", "others"],
    ] {
        fails(27, &["can't be written", "help:"], &without_space(&shop, args));
        assert_eq!(names(shop.folder.path()), before, "{args:?} left something");
    }
    shop.write("plan.json", "the plan of yesterday");
    fails(27, &["plan.json"], &without_space(&shop, &["plan", "pipeline.yaml", "-o", "plan.json"]));
    assert_eq!(std::fs::read_to_string(shop.path("plan.json")).expect("reads"), "the plan of yesterday");
}

#[test]
fn keys_come_together_or_not_at_all() {
    let shop = Shop::open();
    std::fs::create_dir(shop.path("others")).expect("makes");
    fails(27, &["can't be written"], &without_space(&shop, &["keys", "init", "others"]));
    assert!(names(&shop.path("others")).is_empty());
    shop.write("others/trusted", "mine\n");
    fails(27, &["others/trusted", "help:"], &shop.run(&["keys", "init", "others"]));
    assert_eq!(names(&shop.path("others")), ["trusted"]);
    assert_eq!(std::fs::read_to_string(shop.path("others/trusted")).expect("reads"), "mine\n");
    std::fs::remove_file(shop.path("others/trusted")).expect("removes");
    shop.ok(&["keys", "init", "others"]);
    let fresh = names(&shop.path("others"));
    assert_eq!(fresh, ["identity.age", "recipients", "root.key", "signing.key", "trusted"]);
    for name in fresh {
        let mode = shop.path("others").join(&name).metadata().expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_plan_takes_the_place_of_a_file_and_of_nothing_else() {
    let shop = Shop::open();
    shop.write("real.json", "");
    let closed = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(shop.path("real.json"), closed).expect("sets");
    std::os::unix::fs::symlink("real.json", shop.path("link.json")).expect("links");
    shop.ok(&["plan", "pipeline.yaml", "-o", "link.json"]);
    assert!(shop.path("link.json").is_symlink());
    assert!(std::fs::read_to_string(shop.path("real.json")).expect("reads").contains("reenact/plan"));
    assert_eq!(shop.path("real.json").metadata().expect("metadata").permissions().mode() & 0o777, 0o640);
    let into_device = shop.run(&["plan", "pipeline.yaml", "-o", "/dev/stdout"]);
    assert!(text(&into_device).contains("\"format\": \"reenact/plan\""), "{}", text(&into_device));
    std::os::unix::fs::symlink("/dev/full", shop.path("full")).expect("links");
    fails(27, &["`full` can't be written"], &shop.run(&["plan", "pipeline.yaml", "-o", "full"]));
    assert!(shop.path("full").is_symlink());
}

#[test]
fn a_full_stdout_is_an_error_and_no_bug() {
    let shop = Shop::open();
    assert!(shop.capture("b.reenact").status.success());
    for args in [&["inspect", "b.reenact"][..], &["inspect", "b.reenact", "-o", "json"], &["masks"], &["ps"]] {
        let told = fails(27, &["stdout can't be written", "help"], &into_full(&shop, args));
        assert!(!told.contains("a bug"), "{told}");
    }
    // An error of the command itself goes before.
    fails(2, &["no-such.yaml"], &into_full(&shop, &["plan", "no-such.yaml"]));
    // A stderr that takes nothing changes nothing.
    let full = File::options().write(true).open("/dev/full").expect("opens");
    let output = shop.command().args(["plan", "no-such.yaml"]).stderr(full).output().expect("runs");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_capture_whose_report_nobody_gets_says_that_the_bundle_is_there() {
    let shop = Shop::open();
    let args = ["capture", "pipeline.yaml", "--seed", "order=7", "--to", "b.reenact"];
    fails(
        27,
        &["stdout can't be written", "is finished and stands in b.reenact", "`reenact inspect b.reenact`"],
        &into_full(&shop, &args),
    );
    shop.ok(&["verify", "b.reenact"]);
}

#[test]
fn what_is_no_bundle_is_told_with_what_is_one() {
    let shop = Shop::open();
    std::fs::create_dir(shop.path("empty")).expect("makes");
    for name in ["pipeline.yaml", "nothing", "empty"] {
        for command in ["inspect", "verify", "up"] {
            fails(
                23,
                &[name, "there is no bundle", "help: name the folder that `reenact capture"],
                &shop.run(&[command, name]),
            );
        }
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_printing_and_nothing_else() {
    let shop = Shop::open();
    assert!(shop.capture("b.reenact").status.success());
    for args in [&["inspect", "b.reenact"][..], &["masks"], &["masks", "-o", "json"]] {
        let mut child =
            shop.command().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        drop(child.stdout.take());
        let mut told = String::new();
        child.stderr.take().expect("stderr").read_to_string(&mut told).expect("reads");
        assert_eq!(child.wait().expect("ends").code(), Some(0), "{told}");
        assert_eq!(told, "");
    }
    shop.write("policy.yaml", &crate::support::POLICY.replace("\"**.note\", ", ""));
    let mut child = shop.command();
    let mut child = child
        .args(["policy", "check", "pipeline.yaml"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("ends").code(), Some(10), "the command's own exit code");
}

#[test]
fn an_environment_that_nobody_was_told_of_is_taken_down() {
    let shop = Shop::open();
    assert!(shop.capture("b.reenact").status.success());
    for args in [&["up", "b.reenact"][..], &["up", "b.reenact", "-o", "json"]] {
        fails(27, &["stdout can't be written"], &into_full(&shop, args));
        assert!(!shop.ok(&["ps"]).contains("sqlite"), "{args:?} left an environment");
    }
    let mut child = shop.command();
    let mut child =
        child.args(["up", "b.reenact"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("ends").code(), Some(27));
    assert!(!shop.ok(&["ps"]).contains("sqlite"), "an environment was left");
}
