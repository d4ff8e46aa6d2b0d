//! `policy preview`: what masks make of values, for the eyes of whoever typed them.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use reenact_model::{Class, Error, Result};
use reenact_review::preview;

use super::capture::load;
use super::policy::{document, field, schemas};
use crate::args::PolicyPreview;
use crate::render;

const KEY: &str = "the key was drawn for this preview and is dropped: no capture gives these pseudonyms, and each preview gives others";

/// `policy preview`.
pub(crate) async fn preview(args: &PolicyPreview, json: bool) -> Result<u8> {
    let only = args.field.as_deref().map(field).transpose()?;
    let given = args.values.as_deref().map(values).transpose()?;
    let (pipeline, text) = load(&args.pipeline)?;
    let schemas = schemas(&pipeline, &args.schemas).await?;
    let preview = preview::preview(&text, &schemas, only.as_ref(), given.as_deref())?;
    if json {
        let fields: Vec<_> = preview
            .fields
            .iter()
            .map(|f| {
                let values: Vec<_> = f
                    .values
                    .iter()
                    .map(|(value, results)| serde_json::json!({ "value": value, "results": results }))
                    .collect();
                serde_json::json!({ "field": f.field, "name": f.field.to_string(), "does": f.does, "rule": f.rule, "values": values })
            })
            .collect();
        let body = serde_json::json!({ "made_up": preview.made_up, "key": "throw-away", "fields": fields });
        render::json(&document("reenact/policy-preview", &body));
        return Ok(0);
    }
    let source = if preview.made_up { "values are made up from the schema" } else { "values are those that you gave" };
    render::out(&format!("{source}; no record was read"));
    render::out(KEY);
    for field in &preview.fields {
        let rule = field.rule.as_ref().map_or(String::new(), |rule| format!(" (rule `{rule}`)"));
        render::out(&format!("{}: {}{rule}", field.field, field.does));
        for (value, results) in &field.values {
            let told =
                |value: &Option<String>| value.as_deref().map_or("NULL".to_owned(), |value| format!("{value:?}"));
            for shown in results {
                let when = match shown.fulfilled {
                    None => "",
                    Some(true) => ", if its condition is fulfilled",
                    Some(false) => ", if its condition is not fulfilled",
                };
                let result = match &shown.refused {
                    Some(why) => format!("refused: {why}"),
                    None => told(&shown.becomes),
                };
                render::out(&format!("  {} -> {result}{when}", told(value)));
            }
        }
    }
    Ok(0)
}

/// The lines of a file, or of stdin.
fn values(path: &Path) -> Result<Vec<String>> {
    let unread = |error: std::io::Error| {
        Error::new(
            Class::Input,
            format!("`{}` can't be read: {}", path.display(), reenact_model::error::refused(&error)),
        )
        .help("name a file with one value on each line, or `-` for stdin")
    };
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().lock().read_to_string(&mut text).map_err(unread)?;
    } else {
        text = fs::read_to_string(path).map_err(unread)?;
    }
    Ok(text.lines().map(str::to_owned).collect())
}
