//! `keys init` and `keys show`.

use std::fs;

use reenact_model::{Class, Error, Result};

use crate::args::{Keys, KeysCommand};
use crate::{keyring, render};

/// `keys`.
pub(crate) fn run(args: &Keys) -> Result<u8> {
    match &args.command {
        KeysCommand::Init { dir } => {
            let dir = keyring::folder(dir.as_deref())?;
            let public = keyring::init(&dir)?;
            render::out(&format!("made keys in {}", dir.display()));
            render::out(&format!("bundles you capture are signed by {public}"));
            render::line("give that key to those who read your bundles; add their age keys to the file `recipients`");
        }
        KeysCommand::Show { dir } => {
            let dir = keyring::folder(dir.as_deref())?;
            for (file, what) in [("trusted", "trusts"), ("recipients", "seals to")] {
                let text = fs::read_to_string(dir.join(file)).map_err(|e| {
                    Error::new(
                        Class::Input,
                        format!("`{}` can't be read: {}", dir.join(file).display(), reenact_model::error::refused(&e)),
                    )
                    .help("make keys with `reenact keys init`")
                })?;
                for line in text.lines().filter(|l| !l.trim().is_empty()) {
                    render::out(&format!("{what} {line}"));
                }
            }
        }
    }
    Ok(0)
}
