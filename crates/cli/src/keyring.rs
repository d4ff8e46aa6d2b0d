//! The keyring: a folder of files, or environment variables in their place.
//!
//! Hidden here: where secrets come from. Each has the forms `X`, `X_FILE` and `X_COMMAND` in the environment, and a file in
//! the keyring's folder; none is ever taken from an argument.

use std::fs;
use std::path::{Path, PathBuf};

use reenact_bundle::{Identity, Keyring, PublicKey, Recipient, SigningKey};
use reenact_mask::RootKey;
use reenact_mask::approval::Required;
use reenact_model::{Class, Error, Result};

use crate::args::KeyringArgs;
use crate::file;

/// The keyring's folder: as given, or the user's own.
pub(crate) fn folder(given: Option<&Path>) -> Result<PathBuf> {
    if let Some(dir) = given {
        return Ok(dir.to_owned());
    }
    let base = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")));
    base.map(|base| base.join("reenact/keys")).ok_or_else(|| {
        Error::new(Class::Input, "there is no home folder to keep keys in").help("name one with `--keyring DIR`")
    })
}

/// Keys that were made just now.
pub(crate) struct Fresh {
    pub(crate) root: RootKey,
    pub(crate) signing: SigningKey,
    pub(crate) identity: Identity,
}

impl Fresh {
    /// Makes keys.
    pub(crate) fn generate() -> Result<Self> {
        Ok(Self { root: RootKey::generate()?, signing: SigningKey::generate(), identity: Identity::generate() })
    }

    /// Writes them into a folder as a keyring that seals to itself and trusts itself.
    pub(crate) fn write(&self, dir: &Path) -> Result<()> {
        let line = |text: &str| format!("{}\n", text.trim_end());
        // The root key comes last: where it is, all of them are.
        file::secrets(
            dir,
            &[
                ("signing.key", line(&self.signing.to_seed_hex())),
                ("identity.age", line(&self.identity.reveal())),
                ("recipients", line(&self.identity.recipient().to_string())),
                ("trusted", line(&self.signing.public().to_string())),
                ("root.key", line(&self.root.to_hex())),
            ],
        )
    }
}

/// Makes a folder of fresh keys.
pub(crate) fn init(dir: &Path) -> Result<PublicKey> {
    if dir.join("root.key").exists() {
        return Err(Error::new(Class::Input, format!("`{}` holds keys already", dir.display()))
            .help("use them, or name another folder"));
    }
    let keys = Fresh::generate()?;
    keys.write(dir)?;
    Ok(keys.signing.public())
}

/// The secrets and the places of secrets that the environment may hold.
const SECRETS: [&str; 7] = [
    "REENACT_ROOT_KEY",
    "REENACT_SIGNING_KEY",
    "REENACT_IDENTITY",
    "REENACT_RECIPIENTS",
    "REENACT_TRUSTED",
    "REENACT_APPROVERS",
    "REENACT_APPROVALS_REQUIRED",
];
/// The forms of each.
const FORMS: [&str; 3] = ["", "_FILE", "_COMMAND"];

/// Every variable that holds keys or says where they are.
pub(crate) fn variables() -> impl Iterator<Item = String> {
    let forms = |name| FORMS.into_iter().map(move |form| format!("{name}{form}"));
    SECRETS.into_iter().flat_map(forms).chain(["REENACT_KEYRING".to_owned()])
}

/// Reads a secret from `NAME`, `NAME_FILE` or `NAME_COMMAND`, or from a file of the keyring.
fn read(name: &str, dir: &Path, file: &str) -> Result<Option<String>> {
    if let Ok(value) = std::env::var(name) {
        return Ok(Some(value));
    }
    let unreadable = |what: String| Error::new(Class::Input, what);
    if let Ok(path) = std::env::var(format!("{name}_FILE")) {
        return fs::read_to_string(&path)
            .map(Some)
            .map_err(|e| unreadable(format!("`{path}` can't be read: {}", reenact_model::error::refused(&e))));
    }
    if let Ok(command) = std::env::var(format!("{name}_COMMAND")) {
        let output =
            std::process::Command::new("sh").arg("-c").arg(&command).stderr(std::process::Stdio::inherit()).output();
        let output = output
            .map_err(|e| unreadable(format!("`{name}_COMMAND` can't be run: {}", reenact_model::error::refused(&e))))?;
        if !output.status.success() {
            return Err(unreadable(format!("`{name}_COMMAND` failed")));
        }
        return String::from_utf8(output.stdout)
            .map(Some)
            .map_err(|_| unreadable(format!("`{name}_COMMAND` gave no text")));
    }
    match fs::read_to_string(dir.join(file)) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(unreadable(format!(
            "`{}` can't be read: {}",
            dir.join(file).display(),
            reenact_model::error::refused(&e)
        ))),
    }
}

fn missing(what: &str, name: &str) -> Error {
    Error::new(Class::Input, format!("there is no {what}"))
        .help(format!("make keys with `reenact keys init`, or set `{name}`, `{name}_FILE` or `{name}_COMMAND`"))
}

/// What a capture needs.
pub(crate) struct Capturing {
    pub(crate) root: RootKey,
    pub(crate) signing: SigningKey,
    pub(crate) recipients: Vec<Recipient>,
    pub(crate) required: Required,
}

/// The keys of a capture.
pub(crate) fn capturing(args: &KeyringArgs) -> Result<Capturing> {
    let dir = folder(args.keyring.as_deref())?;
    let root = read("REENACT_ROOT_KEY", &dir, "root.key")?.ok_or_else(|| missing("root key", "REENACT_ROOT_KEY"))?;
    let recipients = read("REENACT_RECIPIENTS", &dir, "recipients")?
        .ok_or_else(|| missing("recipient of the bundle", "REENACT_RECIPIENTS"))?;
    Ok(Capturing {
        root: RootKey::from_hex(&root)?,
        signing: signing(args)?,
        recipients: lines(&recipients).map(str::parse).collect::<Result<_>>()?,
        required: required(args)?,
    })
}

/// The key that signs bundles and approvals.
pub(crate) fn signing(args: &KeyringArgs) -> Result<SigningKey> {
    let dir = folder(args.keyring.as_deref())?;
    let text = read("REENACT_SIGNING_KEY", &dir, "signing.key")?
        .ok_or_else(|| missing("signing key", "REENACT_SIGNING_KEY"))?;
    SigningKey::from_seed_hex(text.trim())
}

/// How many approvals a capture needs, and whose count. Without either nothing is asked for; approvers without a number ask for one.
pub(crate) fn required(args: &KeyringArgs) -> Result<Required> {
    let dir = folder(args.keyring.as_deref())?;
    let mut approvers: Vec<PublicKey> = Vec::new();
    for line in lines(&read("REENACT_APPROVERS", &dir, "approvers")?.unwrap_or_default()) {
        let key = line.parse().map_err(|error: Error| error.help("`approvers` has one public key on each line"))?;
        if !approvers.contains(&key) {
            approvers.push(key);
        }
    }
    let wrong = |what: String| {
        Error::new(Class::Input, what)
            .help("`approvals_required` of the keyring is one whole number, and `approvers` has as many keys")
    };
    let count =
        match read("REENACT_APPROVALS_REQUIRED", &dir, "approvals_required")?.filter(|text| !text.trim().is_empty()) {
            None => usize::from(!approvers.is_empty()),
            Some(text) => {
                text.trim().parse().map_err(|_| wrong("the number of approvals is no whole number".to_owned()))?
            }
        };
    if count > approvers.len() {
        return Err(wrong(format!("{count} approvals are asked for, and only {} keys may approve", approvers.len())));
    }
    Ok(Required { count, approvers })
}

/// The keys of a reader: whom to trust, and what to open with.
pub(crate) fn reading(args: &KeyringArgs) -> Result<Keyring> {
    let dir = folder(args.keyring.as_deref())?;
    let trusted = read("REENACT_TRUSTED", &dir, "trusted")?.unwrap_or_default();
    let identities = read("REENACT_IDENTITY", &dir, "identity.age")?.unwrap_or_default();
    let mut keyring = Keyring {
        trusted: lines(&trusted).map(str::parse).collect::<Result<_>>()?,
        identities: lines(&identities).map(str::parse).collect::<Result<_>>()?,
        ..Keyring::default()
    };
    for key in &args.trust {
        keyring.trusted.push(key.parse()?);
    }
    Ok(keyring)
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}
