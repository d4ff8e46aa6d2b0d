//! The shape of the project, held: who may depend on whom, and what is absent where.
//!
//! `ARCHITECTURE.md` says the same for people. Each check is a function over plain data that gives its offenders, so that
//! the tests at the end can show that it is able to fail.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The allowed edges, for normal and build dependencies. The package `reenact` is the command line.
const EDGES: &[(&str, &[&str])] = &[
    ("reenact-model", &[]),
    ("reenact-mask", &["reenact-model"]),
    ("reenact-stores", &["reenact-model"]),
    ("reenact-environment", &["reenact-model"]),
    ("reenact-bundle", &["reenact-mask", "reenact-model"]),
    ("reenact-engine", &["reenact-stores", "reenact-environment", "reenact-bundle", "reenact-mask", "reenact-model"]),
    ("reenact-review", &["reenact-bundle", "reenact-mask", "reenact-model"]),
    ("reenact-testkit", &["reenact-engine", "reenact-environment", "reenact-bundle", "reenact-model"]),
    (
        "reenact",
        &[
            "reenact-testkit",
            "reenact-review",
            "reenact-engine",
            "reenact-stores",
            "reenact-environment",
            "reenact-bundle",
            "reenact-mask",
            "reenact-model",
        ],
    ),
];
/// More edges, for development dependencies only.
const DEV_EDGES: &[(&str, &str)] = &[("reenact-stores", "reenact-environment")];
/// Crates that are still to come.
const TO_COME: &[&str] = &["reenact-testkit"];

/// Crates without any IO.
const PURE: &[&str] = &["reenact-model", "reenact-mask", "reenact-bundle"];
/// What a pure crate must not name, with everything that begins so.
const IO: &[&str] = &["tokio", "sqlx", "redis", "rdkafka"];
/// What takes payloads apart or reads their schemas. CBOR is a message format of ours and no payload of anybody's.
const DECODERS: &[&str] = &["prost", "prost-reflect", "prost-types", "protox", "apache-avro", "quick-xml"];
/// What belongs to the command line.
const SURFACE: &[&str] = &["clap", "clap_complete", "clap_mangen", "miette", "indicatif"];

const MAX_LINES: usize = 800;
/// Production code that may use a method which `clippy.toml` keeps from all others.
const EXEMPT: &[&str] =
    &["crates/mask/src/masker.rs", "crates/mask/src/detect/sampler.rs", "crates/bundle/src/rows.rs"];
// In two pieces, or this file would be its own offender.
const IGNORED: &str = concat!("#[", "ignore");
const UNFINISHED: &[&str] = &[concat!("todo", "!("), concat!("unimplemented", "!(")];
const PRINTS: &[&str] = &["println!(", "print!(", "dbg!("];

// --- what is checked ---------------------------------------------------------------------------------------------------

/// A package of the workspace.
struct Package {
    name: String,
    manifest: PathBuf,
    /// What it names, and whether only for development.
    dependencies: Vec<(String, bool)>,
}

/// A source file, by its path from the root.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Whether it is only ever compiled for tests, benchmarks or examples.
    fn is_test(&self) -> bool {
        let folder = |name: &str| self.path.split('/').rev().skip(1).any(|part| part == name);
        folder("tests")
            || folder("examples")
            || folder("benches")
            || self.path.ends_with("/tests.rs")
            || self.path.starts_with("crates/stores/src/conformance")
    }

    /// The lines that are no comment, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(n, line)| (n + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// [`Source::code`] before the test module, which stands last.
    fn production(&self) -> Vec<(usize, &str)> {
        let code: Vec<_> = self.code().collect();
        let is_tests = |at: usize| {
            let mut after = code[at..].iter().skip_while(|(_, line)| line.starts_with("#["));
            code[at].1 == "#[cfg(test)]"
                && after.next().is_some_and(|(_, line)| line.starts_with("mod ") && line.ends_with('{'))
        };
        let end = (0..code.len()).find(|at| is_tests(*at)).unwrap_or(code.len());
        code[..end].to_vec()
    }

    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }
}

// --- the checks --------------------------------------------------------------------------------------------------------

/// Dependencies between our own crates that the architecture does not draw.
fn undrawn_edges(packages: &[Package]) -> Vec<String> {
    let mut offenders = Vec::new();
    for package in packages {
        let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == package.name) else {
            offenders.push(format!("{}: not in the architecture", package.name));
            continue;
        };
        let own = package.dependencies.iter().filter(|(name, _)| *name == "reenact" || name.starts_with("reenact-"));
        for (name, dev) in own {
            // A crate that names itself switches on a feature for its own tests.
            let in_tests = *name == package.name || DEV_EDGES.contains(&(package.name.as_str(), name.as_str()));
            if !(allowed.contains(&name.as_str()) || (*dev && in_tests)) {
                offenders.push(format!("{} -> {name}{}", package.name, if *dev { " (dev)" } else { "" }));
            }
        }
    }
    let there = |name: &str| packages.iter().any(|package| package.name == name) || TO_COME.contains(&name);
    offenders.extend(EDGES.iter().filter(|(name, _)| !there(name)).map(|(name, _)| format!("{name}: missing")));
    offenders
}

/// Dependencies on other people's crates that belong elsewhere.
fn misplaced_dependencies(packages: &[Package]) -> Vec<String> {
    let begins = |name: &str, list: &[&str]| {
        list.iter().any(|own| name == *own || name.strip_prefix(own).is_some_and(|rest| rest.starts_with(['-', '_'])))
    };
    let mut offenders = Vec::new();
    for package in packages {
        for (name, _) in &package.dependencies {
            let mut offends = |wrong: bool, why: &str| {
                if wrong {
                    offenders.push(format!("{} -> {name}: {why}", package.name));
                }
            };
            offends(PURE.contains(&package.name.as_str()) && begins(name, IO), "this crate does no IO");
            offends(
                package.name != "reenact-model" && DECODERS.contains(&name.as_str()),
                "only model takes payloads apart",
            );
            offends(
                package.name != "reenact" && SURFACE.contains(&name.as_str()),
                "only the command line has a surface",
            );
        }
    }
    offenders
}

/// Whether a section of a manifest has a line, white space aside.
fn has_line(manifest: &str, section: &str, line: &str) -> bool {
    let squeezed = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    let lines = manifest.lines().skip_while(|l| l.trim() != section).skip(1);
    lines.take_while(|l| !l.starts_with('[')).any(|l| squeezed(l) == squeezed(line))
}

/// Packages that do not take over the workspace's lints.
fn without_lints(manifests: &[(String, String)]) -> Vec<String> {
    let lacks = manifests.iter().filter(|(_, text)| !has_line(text, "[lints]", "workspace = true"));
    lacks.map(|(name, _)| name.clone()).collect()
}

fn too_long(sources: &[Source]) -> Vec<String> {
    let lines = sources.iter().map(|source| (source, source.text.lines().count()));
    lines.filter(|(_, n)| *n > MAX_LINES).map(|(source, n)| format!("{}: {n} lines", source.path)).collect()
}

/// Places in libraries that print.
fn prints(sources: &[Source]) -> Vec<String> {
    let libraries = sources.iter().filter(|source| !source.path.starts_with("crates/cli/") && !source.is_test());
    let found = |source: &Source| {
        let lines = source.production().into_iter().filter(|(_, line)| PRINTS.iter().any(|p| line.contains(p)));
        lines.map(|(n, _)| source.at(n)).collect::<Vec<_>>()
    };
    libraries.flat_map(found).collect()
}

/// Tests that are skipped, and code that is not written yet.
fn unfinished(sources: &[Source]) -> Vec<String> {
    let marks = |line: &str| line.contains(IGNORED) || UNFINISHED.iter().any(|mark| line.contains(mark));
    let found =
        |source: &Source| source.code().filter(|(_, line)| marks(line)).map(|(n, _)| source.at(n)).collect::<Vec<_>>();
    sources.iter().flat_map(found).collect()
}

/// Places that take values out of `Captured`, or make `Masked` rows, and may not.
fn breaks_of_the_seal(sources: &[Source]) -> Vec<String> {
    let mut offenders = Vec::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        let code = source.production();
        if !source.path.starts_with("crates/mask/") {
            offenders.extend(exposed(&code).map(|n| format!("{}: exposes what is no `dsn`", source.at(n))));
        }
        for (n, line) in code {
            if line.contains("::reopened") && !source.path.starts_with("crates/bundle/") {
                offenders.push(format!("{}: makes masked rows", source.at(n)));
            }
            if line.contains("disallowed_methods") && !EXEMPT.contains(&source.path.as_str()) {
                offenders.push(format!("{}: frees itself from a lint", source.at(n)));
            }
        }
    }
    offenders
}

/// The lines that call an `expose` on something that is not called a `dsn`: URLs have a method of this name, and by this
/// convention one sees which of the two is meant.
fn exposed<'a>(code: &'a [(usize, &'a str)]) -> impl Iterator<Item = usize> + 'a {
    (0..code.len())
        .filter(|at| {
            let line = code[*at].1;
            let by_path = line.match_indices("::expose").any(|(n, _)| !line[..n].ends_with("Dsn"));
            let by_method = line.match_indices(".expose()").any(|(n, _)| {
                // A chain may be broken before the dot.
                let above = code[..*at].last().map_or("", |(_, line)| line);
                let text = if line[..n].trim().is_empty() { above } else { &line[..n] };
                !receiver(text).contains("dsn")
            });
            by_path || by_method
        })
        .map(|at| code[at].0)
}

/// Texts that look like a finding's code and are none: an algorithm, the pattern of a number plate.
const LIKE_CODES: [&str; 2] = ["SHA-256", "AAA-999"];

/// The codes of findings that production code makes: `"ABC-123"`, each with the place where it was met first.
fn codes(sources: &[Source]) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for source in sources.iter().filter(|source| !source.is_test() && source.path.starts_with("crates/")) {
        for (n, line) in source.production() {
            for text in line.split('"').skip(1).step_by(2) {
                let is_code = text.split_once('-').is_some_and(|(area, number)| {
                    (2..=6).contains(&area.len())
                        && area.bytes().all(|b| b.is_ascii_uppercase())
                        && number.len() == 3
                        && number.bytes().all(|b| b.is_ascii_digit())
                });
                if is_code && !LIKE_CODES.contains(&text) && !found.iter().any(|(code, _)| code == text) {
                    found.push((text.to_owned(), source.at(n)));
                }
            }
        }
    }
    found
}

/// Codes without a page, and pages without a code.
fn without_page(codes: &[(String, String)], pages: &[&str]) -> Vec<String> {
    let lacks = codes.iter().filter(|(code, _)| !pages.contains(&code.as_str()));
    let left = pages.iter().filter(|page| !codes.iter().any(|(code, _)| code == *page));
    lacks
        .map(|(code, at)| format!("{at}: {code} has no page"))
        .chain(left.map(|page| format!("{page} is nowhere")))
        .collect()
}

/// The last name of an expression: `dsn` in `lease.dsn("cart")?`.
fn receiver(text: &str) -> &str {
    let mut end = text.trim_end();
    loop {
        end = end.trim_end_matches('?');
        let open = match end.chars().last() {
            Some(')') => '(',
            Some(']') => '[',
            _ => break,
        };
        let Some(at) = end.rfind(open) else { break };
        end = &end[..at];
    }
    let start = end.rfind(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(0, |n| n + 1);
    &end[start..]
}

// --- the project -------------------------------------------------------------------------------------------------------

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn packages_of(metadata: &Value) -> Vec<Package> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let dependency = |value: &Value| (text(&value["name"]), value["kind"] == "dev");
    let package = |value: &Value| Package {
        name: text(&value["name"]),
        manifest: text(&value["manifest_path"]).into(),
        dependencies: list(&value["dependencies"]).iter().map(dependency).collect(),
    };
    list(&metadata["packages"]).iter().map(package).collect()
}

fn packages() -> Vec<Package> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--format-version", "1", "--no-deps", "--offline"];
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    packages_of(&serde_json::from_slice(&output.stdout).expect("JSON"))
}

fn sources() -> Vec<Source> {
    fn walk(folder: &Path, found: &mut Vec<Source>) {
        for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("an entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    walk(&path, found);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = read(&path);
                let path = path.strip_prefix(root()).expect("below the root").display().to_string();
                found.push(Source { path, text });
            }
        }
    }
    let mut found = Vec::new();
    walk(root(), &mut found);
    assert!(found.iter().any(|source| source.path == "crates/model/src/lib.rs"), "the sources were not found");
    found
}

fn none(offenders: &[String], rule: &str) {
    assert!(offenders.is_empty(), "{rule}:\n  {}", offenders.join("\n  "));
}

#[test]
fn crates_depend_on_each_other_as_drawn() {
    none(&undrawn_edges(&packages()), "edges that ARCHITECTURE.md does not draw");
}

#[test]
fn dependencies_stand_where_they_belong() {
    none(&misplaced_dependencies(&packages()), "dependencies in the wrong crate");
}

#[test]
fn no_crate_has_unsafe_code() {
    let workspace = read(&root().join("Cargo.toml"));
    assert!(has_line(&workspace, "[workspace.lints.rust]", "unsafe_code = \"forbid\""), "unsafe code is not forbidden");
    let manifests: Vec<_> = packages().into_iter().map(|p| (p.name, read(&p.manifest))).collect();
    none(&without_lints(&manifests), "packages without the workspace's lints");
}

#[test]
fn files_are_short() {
    none(&too_long(&sources()), "files of more than 800 lines");
}

#[test]
fn libraries_do_not_print() {
    none(&prints(&sources()), "only crates/cli prints");
}

#[test]
fn nothing_is_skipped_or_left_for_later() {
    none(&unfinished(&sources()), "tests that are skipped, or code that is not written");
}

#[test]
fn only_mask_sees_captured_values_and_only_bundle_reopens_masked_rows() {
    let lints = read(&root().join("clippy.toml"));
    for method in ["reenact_model::Captured::expose", "reenact_mask::Masked::reopened"] {
        assert!(lints.contains(&format!("path = \"{method}\"")), "clippy.toml does not keep `{method}`");
    }
    none(&breaks_of_the_seal(&sources()), "the seal between captured and masked rows");
}

#[test]
fn every_code_has_a_page() {
    let pages: Vec<&str> = reenact_review::codes::pages().map(|page| page.code).collect();
    none(&without_page(&codes(&sources()), &pages), "`reenact explain` and the codes in the sources");
}

// --- that each check can fail ------------------------------------------------------------------------------------------

fn package(name: &str, dependencies: &[(&str, bool)]) -> Package {
    let dependencies = dependencies.iter().map(|(name, dev)| ((*name).to_owned(), *dev)).collect();
    Package { name: name.to_owned(), manifest: PathBuf::new(), dependencies }
}

fn source(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}

#[test]
fn a_wrong_edge_is_found() {
    let found = undrawn_edges(&[
        package("reenact-mask", &[("reenact-model", false), ("reenact-bundle", false)]),
        package("reenact-stores", &[("reenact-environment", true), ("reenact-stores", true), ("reenact-mask", true)]),
        package("reenact-bundle", &[("reenact-environment", true), ("reenact-mask", false)]),
        package("reenact-extra", &[]),
    ]);
    let expected = [
        "reenact-mask -> reenact-bundle",
        "reenact-stores -> reenact-mask (dev)",
        "reenact-bundle -> reenact-environment (dev)",
        "reenact-extra: not in the architecture",
        "reenact-model: missing",
        "reenact-environment: missing",
        "reenact-engine: missing",
        "reenact-review: missing",
        "reenact: missing",
    ];
    assert_eq!(found, expected);
    assert_eq!(
        undrawn_edges(&[package("reenact-stores", &[("reenact-environment", false)])])[0],
        "reenact-stores -> reenact-environment",
        "what a test may use, a build may not"
    );
}

#[test]
fn a_misplaced_dependency_is_found() {
    let found = misplaced_dependencies(&[
        package("reenact-bundle", &[("tokio-util", false), ("age", false), ("redistribute", false)]),
        package("reenact-model", &[("prost-reflect", false), ("rdkafka", true)]),
        package("reenact-engine", &[("protox", false), ("tokio", false), ("clap", false)]),
        package("reenact", &[("clap", false), ("miette", false)]),
    ]);
    let expected = [
        "reenact-bundle -> tokio-util: this crate does no IO",
        "reenact-model -> rdkafka: this crate does no IO",
        "reenact-engine -> protox: only model takes payloads apart",
        "reenact-engine -> clap: only the command line has a surface",
    ];
    assert_eq!(found, expected);
}

#[test]
fn packages_are_read_from_metadata() {
    let metadata = serde_json::json!({ "packages": [{ "name": "reenact-mask", "manifest_path": "m/Cargo.toml", "dependencies": [
        { "name": "reenact-model", "kind": null }, { "name": "sqlx", "kind": "build" }, { "name": "tempfile", "kind": "dev" },
    ] }] });
    let found = packages_of(&metadata);
    let expected = [("reenact-model", false), ("sqlx", false), ("tempfile", true)];
    assert!(found[0].dependencies.iter().map(|(name, dev)| (name.as_str(), *dev)).eq(expected));
}

#[test]
fn a_package_without_lints_is_found() {
    let manifests = [
        ("a".to_owned(), "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n".to_owned()),
        ("b".to_owned(), "[package]\nversion.workspace = true\n[lints]\n[dependencies]\nworkspace = true\n".to_owned()),
    ];
    assert_eq!(without_lints(&manifests), ["b"]);
}

#[test]
fn a_long_file_is_found() {
    let sources = [source("a.rs", &"\n".repeat(MAX_LINES)), source("b.rs", &"\n".repeat(MAX_LINES + 1))];
    assert_eq!(too_long(&sources), ["b.rs: 801 lines"]);
}

#[test]
fn a_print_is_found() {
    let text = "// println!(1)\nfn f() { println!(\"x\"); }\n\n#[cfg(test)]\nmod tests {\n    fn g() { dbg!(1); }\n}\n";
    let paths =
        ["crates/mask/src/a.rs", "crates/mask/src/tests/a.rs", "crates/cli/src/a.rs", "crates/mask/examples/a.rs"];
    assert_eq!(prints(&paths.map(|path| source(path, text))), ["crates/mask/src/a.rs:2"]);
    let outside = source("crates/mask/src/lib.rs", "#[cfg(test)]\nmod tests;\n\nfn f() { eprintln!(\"x\"); }\n");
    assert_eq!(prints(&[outside]), ["crates/mask/src/lib.rs:4"], "only a module with a body is the end");
}

#[test]
fn what_is_unfinished_is_found() {
    let text =
        format!("{IGNORED}]\nfn f() {{ {}) }}\n// {}\nfn g() {{ {}) }}\n", UNFINISHED[0], UNFINISHED[0], UNFINISHED[1]);
    assert_eq!(unfinished(&[source("tests/a.rs", &text)]), ["tests/a.rs:1", "tests/a.rs:2", "tests/a.rs:4"]);
}

#[test]
fn a_broken_seal_is_found() {
    let text = "let url = lease.dsn(\"cart\")?.expose();\nlet list = urls.map(Dsn::expose);\nlet rows = rows.expose();\n\
                let rows = batches.map(Captured::expose);\nlet rows = batch\n    .expose();\n";
    let found = breaks_of_the_seal(&[source("crates/engine/src/a.rs", text), source("crates/mask/src/a.rs", text)]);
    let expected = [3, 4, 6].map(|n| format!("crates/engine/src/a.rs:{n}: exposes what is no `dsn`"));
    assert_eq!(found, expected);
    let text = "Masked::reopened(entity, rows, via)\n";
    let found = breaks_of_the_seal(&[source("crates/engine/src/a.rs", text), source("crates/bundle/src/a.rs", text)]);
    assert_eq!(found, ["crates/engine/src/a.rs:1: makes masked rows"]);
    let text = "#[expect(clippy::disallowed_methods, reason = \"so\")]\n";
    let found = breaks_of_the_seal(&[source("crates/bundle/src/a.rs", text), source(EXEMPT[0], text)]);
    assert_eq!(found, ["crates/bundle/src/a.rs:1: frees itself from a lint"]);
    let found = breaks_of_the_seal(&[source("crates/stores/src/conformance/mod.rs", text), source("tests/a.rs", text)]);
    assert!(found.is_empty(), "tests may look: {found:?}");
}

#[test]
fn a_code_without_a_page_is_found() {
    let text =
        "f(\"POL-999\", \"UTF-8\", \"pol-001\"); // \"POL-998\"\n#[cfg(test)]\nmod tests {\n    g(\"POL-997\");\n}\n";
    let found = codes(&[source("crates/mask/src/a.rs", text), source("crates/mask/tests/a.rs", text)]);
    assert_eq!(found.first(), Some(&("POL-999".to_owned(), "crates/mask/src/a.rs:1".to_owned())));
    assert!(!found.iter().any(|(code, _)| code == "POL-997"), "{found:?}");
    assert_eq!(
        without_page(&found[..1], &["POL-001"]),
        ["crates/mask/src/a.rs:1: POL-999 has no page", "POL-001 is nowhere"]
    );
}
