//! Detection on other people's schemas and rows: which columns of six shops are personal, told by names and values together.
//!
//! What is personal stands in `personal.txt`, each line with its reason; a field that no line names is not.

use std::collections::BTreeMap;

use reenact_engine::detect::places;
use reenact_engine::pipeline::Pipeline;
use reenact_mask::detect::{Place, detect, draft};
use reenact_mask::{Plan, Policy};
use reenact_model::Kind;
use reenact_model::catalog::Schemas;

use crate::incident::pipeline;
use crate::servers::Servers;
use crate::subsets::{self, FILMS, FILMS_IN_MYSQL, PARCELS, TRADE};
use crate::{astronomy, datasets};

/// Personal fields by set, as `personal.txt` has them.
fn labels() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut out: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in include_str!("personal.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (fields, reason) = line.split_once(" | ").unwrap_or_else(|| panic!("no reason: {line}"));
        assert!(!reason.trim().is_empty(), "no reason: {line}");
        let mut words = fields.split_whitespace();
        let set = words.next().unwrap_or_default();
        out.entry(set).or_default().extend(words);
    }
    out
}

/// Found and missed personal fields, and those that are not and were found.
#[derive(Default)]
struct Tally {
    hit: usize,
    missed: Vec<String>,
    wrong: Vec<String>,
}

/// Detects on one set; the draft that comes of it must hold but for what it leaves undecided.
async fn measure(set: &str, pipeline: &Pipeline, tally: &mut BTreeMap<String, Tally>) {
    let (schemas, all) = places(pipeline, Some(200)).await.unwrap_or_else(|e| panic!("{e}"));
    let found = detect(&all, &schemas.relationships);
    let truth = labels().remove(set).unwrap_or_default();
    let tally = tally.entry(set.to_owned()).or_default();
    let names: Vec<String> = all.iter().map(|place| place.field.to_string()).collect();
    for label in &truth {
        assert!(
            names.iter().any(|name| name.split_once('/').is_some_and(|(_, name)| name == *label)),
            "{set}: no field {label}"
        );
    }
    for (name, found) in names.iter().zip(&found) {
        let is = name.split_once('/').is_some_and(|(_, name)| truth.contains(&name));
        let personal = found.as_ref().filter(|found| found.class.is_personal());
        match (is, personal) {
            (true, Some(_)) => tally.hit += 1,
            (true, None) => tally.missed.push(name.clone()),
            (false, Some(found)) => {
                tally.wrong.push(format!("{name} ({} {:.2}: {})", found.class, found.score, found.evidence.join("; ")));
            }
            (false, None) => {}
        }
    }
    assert_draft(&schemas, &all, &draft(&schemas, &all, &found));
}

/// The undecided paths of payloads.
fn expected_paths(all: &[Place], draft: &reenact_mask::detect::Draft) -> Vec<String> {
    let open =
        all.iter().zip(&draft.proposals).filter(|(_, p)| matches!(p, reenact_mask::detect::Proposal::Undecided(_)));
    open.map(|(place, _)| format!("POL-001 {}", place.field)).filter(|line| line.contains(':')).collect()
}

/// The field of a finding, in full.
fn named(site: &reenact_model::Site) -> String {
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    format!("{}/{}.{}", part(&site.service), part(&site.entity), part(&site.field))
}

/// A draft parses, and what a check says of it is what it leaves undecided.
fn assert_draft(schemas: &Schemas, all: &[Place], draft: &reenact_mask::detect::Draft) {
    use reenact_mask::detect::Proposal;
    let policy = Policy::parse("draft.yaml", &draft.text).unwrap_or_else(|e| panic!("{e}: {:?}", e.findings()));
    let mut told: Vec<String> =
        match Plan::resolve(&policy, &schemas.catalogs, &schemas.relationships, &schemas.reached) {
            Ok(_) => Vec::new(),
            Err(error) => error.findings().iter().map(|f| format!("{} {}", f.code, named(&f.site))).collect(),
        };
    told.sort();
    told.dedup();
    let open = all.iter().zip(&draft.proposals).filter(|(_, proposal)| matches!(proposal, Proposal::Undecided(_)));
    let mut expected: Vec<String> = open.map(|(place, _)| format!("POL-001 {}", place.field)).collect();
    // A path that only the data showed is no field of a schema, so a check of schemas can't miss it.
    expected.retain(|line| told.contains(line) || !line.contains(':'));
    // A payload of which no path is decided is told as a whole.
    let inside: Vec<String> = expected_paths(all, draft);
    told.retain(|line| !inside.iter().any(|path| path.starts_with(&format!("{line}:"))) || expected.contains(line));
    expected.sort();
    let differ: Vec<&String> =
        told.iter().filter(|l| !expected.contains(l)).chain(expected.iter().filter(|l| !told.contains(l))).collect();
    assert!(differ.is_empty(), "told by a check, or left undecided, and not both: {differ:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn personal_columns_of_six_shops_are_found() {
    let Some(folder) = datasets() else { return };
    let mut tally = BTreeMap::new();
    for set in [&FILMS, &FILMS_IN_MYSQL, &TRADE, &PARCELS] {
        Servers::with(&[(set.service, set.kind)], async |production| {
            subsets::load(&folder, set, production);
            let pipeline = pipeline(set.whole, &[(set.variable, production.dsn(set.service).expose())]);
            let name = set.whole.split('/').next().unwrap_or_default();
            measure(name, &pipeline, &mut tally).await;
        })
        .await;
    }
    let music = tempfile::tempdir().expect("a folder");
    let copy = music.path().join("music.sqlite");
    std::fs::copy(folder.join("sql/chinook/chinook.sqlite"), &copy).expect("a copy");
    let url = format!("sqlite://{}", copy.display());
    measure("chinook", &pipeline("chinook/sqlite-whole.yaml", &[("MUSIC_URL", &url)]), &mut tally).await;
    let wanted = [("shop", Kind::Postgres), ("cart", Kind::Redis), ("events", Kind::Kafka)];
    Servers::with(&wanted, async |production| {
        astronomy::load(&folder, production).await;
        measure("otel", &astronomy::whole_pipeline(&folder, production), &mut tally).await;
    })
    .await;
    let hit: usize = tally.values().map(|tally| tally.hit).sum();
    let missed: Vec<&String> = tally.values().flat_map(|tally| &tally.missed).collect();
    let wrong: Vec<&String> = tally.values().flat_map(|tally| &tally.wrong).collect();
    #[allow(clippy::cast_precision_loss, reason = "a few hundred columns")]
    let part = |some: usize, all: usize| some as f64 / all as f64;
    let (recall, precision) = (part(hit, hit + missed.len()), part(hit, hit + wrong.len()));
    let lines: Vec<String> = tally
        .iter()
        .map(|(set, tally)| {
            format!("{set}: {} found, {} missed, {} wrong", tally.hit, tally.missed.len(), tally.wrong.len())
        })
        .collect();
    let told = format!(
        "recall {recall:.3}, precision {precision:.3}\n{}\nmissed {missed:#?}\nwrong {wrong:#?}",
        lines.join("\n")
    );
    if let Some(file) = std::env::var_os("REENACT_DETECTION") {
        std::fs::write(file, &told).expect("writes");
    }
    assert!(recall >= 0.97 && precision >= 0.9, "{told}");
}
