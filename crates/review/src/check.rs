//! A policy held against schemas.

use std::collections::BTreeMap;

use reenact_mask::approval::Subject;
use reenact_mask::kernels::Guarantees;
use reenact_mask::{Action, Decision, Plan, Policy, PolicyText, trial};
use reenact_model::catalog::Schemas;
use reenact_model::error::Severity;
use reenact_model::{FieldId, Finding, Result};
use serde::Serialize;

/// What a check found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The policy's file, as it was named.
    pub policy: String,
    /// SHA-256 of its text.
    pub digest: String,
    /// Everything that is to be mended or accepted, the gravest first.
    pub findings: Vec<Finding>,
    /// Every field's decision; empty if an error keeps them from being made.
    pub decisions: Vec<Decision>,
    /// The policy's own tests that hold; `None` if none was run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed: Option<Vec<String>>,
    /// The sets of quasi-identifiers that the policy declares.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quasi_identifiers: Vec<Vec<FieldId>>,
    /// What the masks of fields hold to.
    #[serde(skip)]
    pub guarantees: BTreeMap<FieldId, Guarantees>,
    /// What an approval of it is over; none if an error keeps decisions from being made.
    #[serde(skip)]
    pub subject: Option<Subject>,
}

impl Report {
    /// How many findings have a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// How many fields are masked, kept, redacted as undecided, and coordinates.
    pub fn coverage(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for decision in &self.decisions {
            let word = match decision.action {
                // Kept for some is kept.
                _ if decision.keeps().is_some() => "kept",
                Action::Mask { .. } => "masked",
                Action::Keep(_) => "kept",
                Action::Redact => "redacted",
                Action::Coordinate => "coordinates",
                Action::Payload => continue,
            };
            *counts.entry(word).or_default() += 1;
        }
        counts
    }

    /// One sentence with the verdict.
    pub fn verdict(&self) -> String {
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        if let Some(passed) = &self.passed {
            return match errors {
                0 => format!("{} tests hold", passed.len()),
                _ => format!("{} tests hold, and {errors} findings say what does not", passed.len()),
            };
        }
        if errors > 0 {
            return format!("{errors} errors stop every capture; {warnings} warnings");
        }
        let counts: Vec<String> = self.coverage().iter().map(|(word, count)| format!("{count} {word}")).collect();
        format!("every field is decided ({}); {warnings} warnings", counts.join(", "))
    }
}

/// Checks a policy against schemas: all findings at once.
///
/// # Errors
/// [`reenact_model::Class::Input`] only if the text can't be read as YAML at all; everything else is a finding.
pub fn check(text: &PolicyText, schemas: &Schemas) -> Result<Report> {
    Ok(match resolved(text, schemas)? {
        Ok((policy, plan)) => {
            let guarantees = plan.decisions().iter();
            let guarantees = guarantees.filter_map(|d| Some((d.field.clone(), plan.guarantees(&d.field)?))).collect();
            let subject = Some(Subject::of(&policy, &plan, &schemas.reached));
            let told = report(&text.file, policy.digest.clone(), plan.warnings().to_vec(), plan.decisions().to_vec());
            let sets = policy.quasi_identifiers.iter();
            let quasi_identifiers = sets.map(|set| set.iter().map(|(field, _)| field.clone()).collect()).collect();
            Report { quasi_identifiers, guarantees, subject, ..told }
        }
        Err(report) => report,
    })
}

/// Runs the tests inside a policy. What keeps the policy from being resolved is told in their place, and no test is run then.
///
/// # Errors
/// As [`check`].
pub fn test(text: &PolicyText, schemas: &Schemas) -> Result<Report> {
    Ok(match resolved(text, schemas)? {
        Ok((policy, plan)) => {
            let trial = trial::run(&policy, &plan, &schemas.catalogs)?;
            let report = report(&text.file, policy.digest.clone(), trial.findings, Vec::new());
            Report { passed: Some(trial.passed), ..report }
        }
        Err(report) => report,
    })
}

/// A policy with its plan, or the report of what stands against it.
pub(crate) fn resolved(text: &PolicyText, schemas: &Schemas) -> Result<std::result::Result<(Policy, Plan), Report>> {
    let policy = match Policy::read(text) {
        Ok(policy) => policy,
        Err(error) if error.findings().is_empty() => return Err(error),
        Err(error) => return Ok(Err(report(&text.file, text.digest(), error.findings().to_vec(), Vec::new()))),
    };
    Ok(match Plan::resolve(&policy, &schemas.catalogs, &schemas.relationships, &schemas.reached) {
        Ok(plan) => Ok((policy, plan)),
        Err(error) => Err(report(&text.file, policy.digest.clone(), error.findings().to_vec(), Vec::new())),
    })
}

fn report(file: &str, digest: String, mut findings: Vec<Finding>, decisions: Vec<Decision>) -> Report {
    findings.sort_by(|a, b| {
        b.severity.cmp(&a.severity).then_with(|| a.site.span.cmp(&b.site.span)).then_with(|| a.code.cmp(&b.code))
    });
    Report {
        policy: file.to_owned(),
        digest,
        findings,
        decisions,
        passed: None,
        quasi_identifiers: Vec::new(),
        guarantees: BTreeMap::new(),
        subject: None,
    }
}
