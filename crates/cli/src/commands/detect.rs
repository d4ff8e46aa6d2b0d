//! `detect` and `init`: what fields hold of people, and a policy's draft out of it.

use std::collections::BTreeMap;

use reenact_engine::detect::places;
use reenact_engine::pipeline::Pipeline;
use reenact_mask::detect::{Detection, Place, Proposal, detect, draft};
use reenact_model::{Class, Error, Result};

use crate::args::{Detect, Init, Output, SampleArgs};
use crate::{file, render};

/// `detect`.
pub(crate) async fn run(args: &Detect, json: bool) -> Result<u8> {
    let pipeline = Pipeline::load(&args.pipeline, &|name| std::env::var(name).ok())?;
    let (schemas, places) = places(&pipeline, records(&args.sample)).await?;
    let found = detect(&places, &schemas.relationships);
    let proposals = draft(&schemas, &places, &found).proposals;
    if json {
        render::json(&document(&places, &found, &proposals));
        return Ok(0);
    }
    let rows: Vec<Vec<String>> = places
        .iter()
        .zip(&found)
        .zip(&proposals)
        .filter_map(|((place, found), proposal)| {
            let found = found.as_ref()?;
            let evidence = found.evidence.join("; ");
            Some(vec![
                place.field.to_string(),
                found.class.to_string(),
                format!("{:.2}", found.score),
                proposal.words(),
                evidence,
            ])
        })
        .collect();
    render::out(&render::table(&["field", "class", "score", "proposal", "evidence"], &rows));
    let personal = found.iter().flatten().filter(|found| found.class.is_personal()).count();
    render::out(&format!(
        "\n{} of {} fields were found to hold something: {personal} personal data, {} keys of people and data of organisations",
        rows.len(),
        places.len(),
        rows.len() - personal
    ));
    render::line("what was not found may be there all the same: a person decides");
    Ok(0)
}

/// `init`.
pub(crate) async fn init(args: &Init, output: &Output) -> Result<u8> {
    let Output::File(policy) = output else {
        return Err(Error::new(Class::Input, "nothing says where the draft goes").help("write `-o policy.yaml`"));
    };
    if policy.symlink_metadata().is_ok() {
        return Err(Error::new(Class::Input, format!("`{}` is there already", policy.display()))
            .help("a draft replaces no policy: name another file, and compare the two with `reenact policy diff`"));
    }
    let pipeline = Pipeline::load(&args.pipeline, &|name| std::env::var(name).ok())?;
    let (schemas, places) = places(&pipeline, records(&args.sample)).await?;
    let found = detect(&places, &schemas.relationships);
    let draft = draft(&schemas, &places, &found);
    file::write(policy, &draft.text)?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for proposal in &draft.proposals {
        let word = match proposal {
            Proposal::Mask(_) | Proposal::Domain { .. } => "masked",
            Proposal::Keep(_) => "kept",
            Proposal::Undecided(_) => "undecided",
        };
        *counts.entry(word).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    render::out(&format!("{}: {} fields ({})", policy.display(), places.len(), counts.join(", ")));
    render::line(&format!(
        "next: read it, decide what is undecided, name it under `policy:` in the pipeline, then `reenact policy check {}`",
        args.pipeline.display()
    ));
    Ok(0)
}

fn records(args: &SampleArgs) -> Option<usize> {
    (!args.names_only).then_some(args.sample)
}

fn document(places: &[Place], found: &[Option<Detection>], proposals: &[Proposal]) -> serde_json::Value {
    let fields: Vec<_> = places
        .iter()
        .zip(found)
        .zip(proposals)
        .map(|((place, found), proposal)| {
            serde_json::json!({
                "field": place.field.to_string(),
                "class": found.as_ref().map(|found| found.class),
                "standing": found.as_ref().map(|found| found.class.standing()),
                "personal": found.as_ref().is_some_and(|found| found.class.is_personal()),
                "score": found.as_ref().map(|found| (found.score * 100.0).round() / 100.0),
                "evidence": found.as_ref().map(|found| found.evidence.clone()).unwrap_or_default(),
                "sampled": place.sample.as_ref().map_or(0, reenact_mask::detect::Sample::distinct),
                "proposal": proposal.words(),
            })
        })
        .collect();
    serde_json::json!({ "format": "reenact/detect", "format_version": "1.0", "fields": fields })
}
