//! The text of a policy with all that it includes, as it travels to agents.
//!
//! Hidden here: which texts belong to a policy. [`PolicyText::gather`] asks for each included file once and reads no file itself;
//! what it gives serialises, so every agent resolves the same words and needs no file. The digest covers all of them.

use std::collections::VecDeque;

use reenact_model::{Class, Error, Finding, Result, Site};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::profiles;
use super::syntax::Includes;
use crate::yaml;

/// How deep files may include others.
pub(super) const MAX_DEPTH: usize = 8;
/// How many files a policy may include.
const MAX_FILES: usize = 64;

/// The text of a policy, and of the files that it includes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyText {
    /// The file, as the user named it; empty where the pipeline knows.
    pub file: String,
    /// Its text.
    pub text: String,
    /// Included files and their texts, by the names that findings show.
    pub included: Vec<(String, String)>,
}

impl From<&str> for PolicyText {
    fn from(text: &str) -> Self {
        Self { file: String::new(), text: text.to_owned(), included: Vec::new() }
    }
}

impl From<&String> for PolicyText {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<&PolicyText> for PolicyText {
    fn from(text: &PolicyText) -> Self {
        text.clone()
    }
}

impl PolicyText {
    /// A policy that includes nothing.
    pub fn of(file: &str, text: &str) -> Self {
        Self { file: file.to_owned(), ..text.into() }
    }

    /// A policy with all files that it includes, however deep; `read` gives a file's text or says why it can't.
    ///
    /// # Errors
    /// [`Class::Input`] at the place that includes what can't be read, or more than may be.
    pub fn gather(
        file: &str,
        text: &str,
        read: &mut dyn FnMut(&str) -> std::result::Result<String, String>,
    ) -> Result<Self> {
        let mut all = Self::of(file, text);
        let mut waiting = VecDeque::from([(file.to_owned(), text.to_owned())]);
        let mut bytes = text.len();
        while let Some((file, text)) = waiting.pop_front() {
            // A text that does not parse says so itself, when the policy is read.
            let Ok(includes) = yaml::read_some::<Includes>(&text) else { continue };
            for include in includes.include {
                let refused = |why: String| {
                    let site = Site::default().with_span(Some(yaml::span(&file, &include.referenced)));
                    let finding = Finding::error("POL-022", site, why)
                        .help("write the path of a policy file as seen from this file's own folder");
                    Error::from_findings(Class::Input, &format!("`{file}` includes what can't be read"), &[finding])
                        .unwrap_or_else(|| Error::new(Class::Input, "an include can't be read"))
                };
                let name = beside(&file, &include.value).map_err(&refused)?;
                if name == all.file || all.included.iter().any(|(known, _)| *known == name) {
                    continue;
                }
                if all.included.len() == MAX_FILES {
                    return Err(refused(format!("a policy includes {MAX_FILES} files at most")));
                }
                let text = read(&name).map_err(|why| refused(format!("`{name}` can't be read: {why}")))?;
                bytes += text.len();
                if bytes > yaml::MAX_BYTES {
                    return Err(refused(format!(
                        "a policy has {} MiB at most, with all it includes",
                        yaml::MAX_BYTES >> 20
                    )));
                }
                all.included.push((name.clone(), text.clone()));
                waiting.push_back((name, text));
            }
        }
        Ok(all)
    }

    /// The text of a file by the name that findings show, profiles included.
    pub fn source(&self, file: &str) -> Option<&str> {
        if file == self.file {
            return Some(&self.text);
        }
        let included = self.included.iter().find(|(name, _)| name == file).map(|(_, text)| text.as_str());
        included.or_else(|| profiles::source(file))
    }

    /// SHA-256 of the text and of everything that it includes, in hexadecimal.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.text.as_bytes());
        let mut included: Vec<&(String, String)> = self.included.iter().collect();
        included.sort();
        for (name, text) in included {
            // With their lengths, so that no text can move from one file to the next unseen.
            hash.update(format!("\u{0}{}\u{0}{name}\u{0}{}\u{0}", name.len(), text.len()));
            hash.update(text.as_bytes());
        }
        hex::encode(hash.finalize())
    }
}

/// The name of an included file, from the name of the file that includes it.
pub(super) fn beside(file: &str, include: &str) -> std::result::Result<String, String> {
    if include.is_empty() || include.starts_with('/') || include.contains(['\\', ':']) {
        return Err(format!("`{include}` is no relative path"));
    }
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in include.split('/') {
        match part {
            "." | "" => {}
            ".." if parts.last().is_some_and(|last| !matches!(*last, ".." | "" | ".") && !last.ends_with(':')) => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}
