//! The arguments of every command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Re-enact a production incident on your own machine, without production's personal data.
#[derive(Parser, Debug)]
#[command(name = "reenact", version, max_term_width = 110)]
pub(crate) struct Cli {
    /// How results are written to stdout: `text` or `json`; for `plan`, `init` and `policy report` also the file that takes the result
    #[arg(short, long, global = true, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Output,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How results are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// For people
    Text,
    /// One JSON document with `format` and `format_version`
    Json,
    /// `plan -o FILE`, `init -o FILE`, `policy report -o FILE`: the result into a file
    File(PathBuf),
}

impl std::str::FromStr for Output {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "text" => Self::Text,
            "json" => Self::Json,
            file => Self::File(file.into()),
        })
    }
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Play a small shop's incident from capture to a failing test, with nothing to set up
    Demo(Demo),
    /// Show what a capture would read and how every field would be masked; reads no record
    Plan(Plan),
    /// Capture an incident into a sealed bundle
    Capture(Capture),
    /// Show what a bundle holds and what was done to every field
    Inspect(Inspect),
    /// Check every byte of a bundle
    Verify(Open),
    /// Show why a record is in a bundle: the chain from a root to it
    Why(Why),
    /// Make an environment, load a bundle into it, verify it, and leave it up
    Up(Up),
    /// Load a bundle into servers that you name, and verify it
    Replay(Replay),
    /// Run a command against a bundle in a throw-away environment
    Run(Run),
    /// List the environments that are up
    Ps,
    /// Take an environment down
    Down(Down),
    /// Remove what killed processes left behind: environments, and unfinished bundles in a folder
    Gc(Gc),
    /// Mark a store as one that may be overwritten by a replay
    Mark(Mark),
    /// Make and show keys
    Keys(Keys),
    /// List the masks
    Masks,
    /// Tell which fields hold personal data: by their names, and by a bounded sample of their values, of which none is shown or kept
    Detect(Detect),
    /// Write a policy's draft into the file that `-o` names: every field of a pipeline's services decided, or left to you
    Init(Init),
    /// Tell what a finding's code means and how to mend it
    Explain(Explain),
    /// Review a policy: what it decides, what is wrong with it, what a change of it means
    #[command(subcommand)]
    Policy(PolicyCommand),
}

/// How much is read to tell what fields hold.
#[derive(Args, Debug)]
pub(crate) struct SampleArgs {
    /// The most records of each table, key family or topic that are looked at, from its beginning
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(crate) sample: usize,
    /// Read no record: judge by names and types alone
    #[arg(long, conflicts_with = "sample")]
    pub(crate) names_only: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Detect {
    /// The pipeline's file; its policy need not be there
    pub(crate) pipeline: PathBuf,
    #[command(flatten)]
    pub(crate) sample: SampleArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Init {
    /// The pipeline's file; its policy need not be there
    pub(crate) pipeline: PathBuf,
    #[command(flatten)]
    pub(crate) sample: SampleArgs,
}

#[derive(Subcommand, Debug)]
pub(crate) enum PolicyCommand {
    /// Hold the policy of a pipeline against the schemas: all findings at once; exit code 10 if there are errors
    Check(PolicyCheck),
    /// Print the JSON Schema of policies, for editors that complete and check them
    Schema,
    /// Run the tests inside the policy, on values of their own; exit code 10 if one does not hold
    Test(PolicyCheck),
    /// Compare two policies by their effect on every field; exit code 10 if one is protected less
    Diff(PolicyDiff),
    /// Tell which rule decides a field, and why the others don't
    Explain(PolicyExplain),
    /// Show what masks make of values that you give, or of made-up ones; reads no record, and its key serves nothing else
    Preview(PolicyPreview),
    /// Write the review as one page for a browser, into the file that `-o` names
    Report(PolicyReport),
    /// Serve the page to this machine's own browser, behind a one-time link; it follows the files, and holds no key
    Serve(PolicyServe),
    /// Sign every field's decision with the key of your keyring
    Approve(PolicyApprove),
    /// Tell whether the policy has the approvals that the keyring asks for; exit code 12 if not
    VerifyApproval(PolicyVerifyApproval),
}

#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// The code, such as `POL-009`; without one, all codes are listed
    pub(crate) code: Option<String>,
}

/// How a review is written.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people
    Text,
    /// One JSON document
    Json,
    /// A comment for a pull request, within its limits
    Markdown,
    /// Annotations of a GitHub workflow
    Github,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// `JUnit` XML
    Junit,
}

/// Where schemas come from: the servers, of which no record is read, or a file.
#[derive(Args, Debug, Clone)]
pub(crate) struct SchemaArgs {
    /// Take the schemas from this file, and ask no server
    #[arg(long, value_name = "FILE")]
    pub(crate) schemas: Option<PathBuf>,
    /// Keep the servers' schemas in this file, for reviews that can't reach them
    #[arg(long, value_name = "FILE", conflicts_with = "schemas")]
    pub(crate) save_schemas: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct PolicyCheck {
    /// The pipeline's file
    pub(crate) pipeline: PathBuf,
    #[command(flatten)]
    pub(crate) schemas: SchemaArgs,
    /// How findings are written
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
    /// Warnings fail too
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Args, Debug)]
pub(crate) struct PolicyDiff {
    /// The pipeline's file
    pub(crate) pipeline: PathBuf,
    /// The policy as it was: a file, or `REVISION:PATH` in git
    pub(crate) before: String,
    /// The policy as it is to be; the pipeline's own if left out
    pub(crate) after: Option<String>,
    #[command(flatten)]
    pub(crate) schemas: SchemaArgs,
    /// How changes are written: `text`, `json` or `markdown`
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// What a page is made of.
#[derive(Args, Debug, Clone)]
pub(crate) struct ReportArgs {
    /// The pipeline's file; its policy is shown
    pub(crate) pipeline: PathBuf,
    #[command(flatten)]
    pub(crate) schemas: SchemaArgs,
    /// The policy to tell changes since: a file, or `REVISION:PATH` in git; without it, the newest approval
    #[arg(long, value_name = "POLICY")]
    pub(crate) approved: Option<String>,
    /// A bundle whose residue proof and records are shown
    #[arg(long, value_name = "BUNDLE")]
    pub(crate) bundle: Option<PathBuf>,
    /// A signed approval; may be repeated. Those in the folder `approvals` beside the policy are found without
    #[arg(long, value_name = "FILE")]
    pub(crate) approval: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) keys: KeyringArgs,
}

#[derive(Args, Debug)]
pub(crate) struct PolicyPreview {
    /// The pipeline's file
    pub(crate) pipeline: PathBuf,
    /// The field to show: `service/entity.field`, or `service/entity.field:$.path`; all without it
    #[arg(long, value_name = "FIELD")]
    pub(crate) field: Option<String>,
    /// Values of your own, one on each line: a file, or `-` for stdin. Without it, values are made up from the schema
    #[arg(long, value_name = "FILE", requires = "field")]
    pub(crate) values: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) schemas: SchemaArgs,
}

#[derive(Args, Debug)]
pub(crate) struct PolicyReport {
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

#[derive(Args, Debug)]
pub(crate) struct PolicyServe {
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

#[derive(Args, Debug)]
pub(crate) struct PolicyApprove {
    /// The pipeline's file; its policy is approved
    pub(crate) pipeline: PathBuf,
    #[command(flatten)]
    pub(crate) schemas: SchemaArgs,
    /// The digest of the decisions as you reviewed them; without it you are asked
    #[arg(long, value_name = "SHA-256")]
    pub(crate) digest: Option<String>,
    /// Days after which the approval holds no more
    #[arg(long, default_value_t = 180, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) expires_days: u32,
    /// Where the approval goes; default: the folder `approvals` beside the policy
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) keys: KeyringArgs,
}

#[derive(Args, Debug)]
pub(crate) struct PolicyVerifyApproval {
    /// The pipeline's file; its policy's approvals are verified
    pub(crate) pipeline: PathBuf,
    #[command(flatten)]
    pub(crate) schemas: SchemaArgs,
    /// A signed approval; may be repeated. Those in the folder `approvals` beside the policy are found without
    #[arg(long, value_name = "FILE")]
    pub(crate) approval: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) keys: KeyringArgs,
}

#[derive(Args, Debug)]
pub(crate) struct PolicyExplain {
    /// The pipeline's file
    pub(crate) pipeline: PathBuf,
    /// The field: `service/entity.field`, or `service/entity.field:$.path`
    pub(crate) field: String,
}

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Use real `PostgreSQL`, `MariaDB`, Redis and Apache Kafka instead of the embedded stores
    #[arg(long)]
    pub(crate) servers: bool,
    /// Keep the demo's bundle, keys and pipeline, and say which commands work on them
    #[arg(long)]
    pub(crate) keep: bool,
    /// Run the demo's own reproduction (the demo calls itself so)
    #[arg(long, hide = true)]
    pub(crate) reproduce: bool,
}

/// Where keys come from.
#[derive(Args, Debug, Clone)]
pub(crate) struct KeyringArgs {
    /// Folder of keys, made by `reenact keys init`
    #[arg(long, env = "REENACT_KEYRING", value_name = "DIR")]
    pub(crate) keyring: Option<PathBuf>,
    /// Trust bundles signed under this public key too (`reenact-pub:…`); may be repeated
    #[arg(long, value_name = "KEY")]
    pub(crate) trust: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Plan {
    /// The pipeline's file
    pub(crate) pipeline: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Capture {
    /// The pipeline's file
    pub(crate) pipeline: PathBuf,
    /// The bundle to write; it must not exist
    #[arg(long, value_name = "PATH")]
    pub(crate) to: PathBuf,
    /// A seed's value, taken from an environment variable: `NAME=VARIABLE`
    #[arg(long, value_name = "NAME=VARIABLE")]
    pub(crate) seed_env: Vec<String>,
    /// A seed's values, taken from a file, one on each line: `NAME=PATH`
    #[arg(long, value_name = "NAME=PATH")]
    pub(crate) seed_file: Vec<String>,
    /// A seed's value itself: `NAME=VALUE`; may be repeated. Others on this machine may see it in the list of processes
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) seed: Vec<String>,
    /// A plan that was reviewed; refused if anything moved since
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// A signed approval of the policy; may be repeated. Those in the folder `approvals` beside the policy are found without
    #[arg(long, value_name = "FILE")]
    pub(crate) approval: Vec<PathBuf>,
    /// Days after which the bundle can't be loaded any more; 0: at once, so that it can only be looked at
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=3650))]
    pub(crate) expires_days: u32,
    #[command(flatten)]
    pub(crate) keys: KeyringArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Open {
    /// The bundle
    pub(crate) bundle: PathBuf,
    /// Read a bundle that has expired; it can't be loaded any more
    #[arg(long)]
    pub(crate) accept_expired: bool,
    #[command(flatten)]
    pub(crate) keys: KeyringArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Inspect {
    #[command(flatten)]
    pub(crate) open: Open,
    /// Show one record only: `seed.NAME` or `service/entity.field=value`
    #[arg(long, value_name = "RECORD")]
    pub(crate) record: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Why {
    /// The bundle
    pub(crate) bundle: PathBuf,
    /// The record: `seed.NAME` or `service/entity.field=value`, as the bundle has it
    pub(crate) record: String,
    /// Read a bundle that has expired; it can't be loaded any more
    #[arg(long)]
    pub(crate) accept_expired: bool,
    #[command(flatten)]
    pub(crate) keys: KeyringArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Up {
    /// The bundle
    pub(crate) bundle: PathBuf,
    /// Load a bundle whose cut is `skewed`
    #[arg(long)]
    pub(crate) accept_skewed: bool,
    #[command(flatten)]
    pub(crate) keys: KeyringArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Replay {
    /// The bundle
    pub(crate) bundle: PathBuf,
    /// A target's URL, taken from an environment variable: `SERVICE=VARIABLE`; for Kafka, `host:port` will do
    #[arg(long, value_name = "SERVICE=VARIABLE", required = true)]
    pub(crate) target_env: Vec<String>,
    /// Load a bundle whose cut is `skewed`
    #[arg(long)]
    pub(crate) accept_skewed: bool,
    #[command(flatten)]
    pub(crate) keys: KeyringArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Run {
    /// The bundle
    pub(crate) bundle: PathBuf,
    /// Keep the environment if the command fails, and print its URLs
    #[arg(long)]
    pub(crate) keep_on_failure: bool,
    /// Use the stand-ins of `demo` instead of servers: `SQLite`, librdkafka's mock cluster, Redis where it is installed
    #[arg(long, conflicts_with = "keep_on_failure")]
    pub(crate) embedded: bool,
    /// Load a bundle whose cut is `skewed`
    #[arg(long)]
    pub(crate) accept_skewed: bool,
    #[command(flatten)]
    pub(crate) keys: KeyringArgs,
    /// The command and its arguments, after `--`
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<std::ffi::OsString>,
}

#[derive(Args, Debug)]
pub(crate) struct Down {
    /// The environment's id, as `up` and `ps` print it
    #[arg(required_unless_present = "all")]
    pub(crate) id: Option<String>,
    /// Take all environments down
    #[arg(long, conflicts_with = "id")]
    pub(crate) all: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Gc {
    /// The folder to look for unfinished bundles in
    #[arg(default_value = ".")]
    pub(crate) folder: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Mark {
    /// The environment variable that holds the store's URL; for Kafka, `host:port` will do
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) url_env: String,
}

#[derive(Args, Debug)]
pub(crate) struct Keys {
    #[command(subcommand)]
    pub(crate) command: KeysCommand,
}

#[derive(Subcommand, Debug)]
pub(crate) enum KeysCommand {
    /// Make a folder of fresh keys
    Init {
        /// The folder; default: the user's own configuration folder
        #[arg(env = "REENACT_KEYRING")]
        dir: Option<PathBuf>,
    },
    /// Show the public halves
    Show {
        /// The folder; default: the user's own configuration folder
        #[arg(env = "REENACT_KEYRING")]
        dir: Option<PathBuf>,
    },
}
