//! The command line: it reads arguments, calls the crates, and renders what they tell.
//!
//! Hidden here: how things look. Results go to stdout, everything else to stderr; every failure is one exit code of
//! [`reenact_model::Class`]. No other crate prints.

mod args;
mod commands;
mod file;
mod keyring;
mod render;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command, Output, PolicyCommand};

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| render::line(&bug(panic))));
    match std::panic::catch_unwind(run) {
        Ok(code) => code,
        Err(_) => ExitCode::from(1),
    }
}

/// What a panic is told as: its message may quote what it tripped over, so only its place is.
fn bug(panic: &std::panic::PanicHookInfo<'_>) -> String {
    let place = panic.location().map_or(String::new(), |at| format!(" at {}:{}", at.file(), at.line()));
    format!("error: a bug of reenact{place}; nothing of a record is told")
}

fn run() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            render::line(&format!("error: the runtime can't start: {}", reenact_model::error::refused(&error)));
            return ExitCode::from(1);
        }
    };
    let json = cli.output == Output::Json;
    let done = runtime.block_on(async {
        let work = dispatch(cli);
        tokio::select! {
            done = work => Done::Ended(done.and_then(|code| render::written().map(|()| code))),
            signal = signalled() => {
                interrupted().await;
                Done::Interrupted(signal)
            }
        }
    });
    // What still runs on a blocking thread has nothing left to do.
    runtime.shutdown_background();
    match done {
        Done::Ended(Ok(code)) => ExitCode::from(code),
        Done::Ended(Err(error)) => {
            let code = error.class().exit_code();
            render::error(&error, code, json);
            ExitCode::from(code)
        }
        Done::Interrupted(signal) => {
            let what = "interrupted; what was started is taken down";
            render::error(&reenact_model::Error::new(reenact_model::Class::Unexpected, what), 128 + signal, json);
            ExitCode::from(128 + signal)
        }
    }
}

/// How the work came to its end.
enum Done {
    /// By itself: with an exit code, or an error that is one.
    Ended(reenact_model::Result<u8>),
    /// By the signal of this number.
    Interrupted(u8),
}

/// Waits for a signal that asks this process to end; gives its number.
async fn signalled() -> u8 {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => 2,
        _ = terminate.recv() => 15,
        _ = hangup.recv() => 1,
    }
}

/// Takes down what this process made.
async fn interrupted() {
    if let Ok(registry) = reenact_environment::Registry::open() {
        let _ = registry.down_own().await;
    }
}

/// Whether `-o` may name a file.
fn takes_file(command: &Command) -> bool {
    matches!(command, Command::Plan(_) | Command::Init(_) | Command::Policy(PolicyCommand::Report(_)))
}

async fn dispatch(cli: Cli) -> reenact_model::Result<u8> {
    let output = cli.output;
    if let (Output::File(file), false) = (&output, takes_file(&cli.command)) {
        let message = format!("`{}` is no format of this command", file.display());
        return Err(
            reenact_model::Error::new(reenact_model::Class::Input, message).help("write `-o text` or `-o json`")
        );
    }
    let json = output == Output::Json;
    match cli.command {
        Command::Demo(args) => commands::demo::run(&args).await,
        Command::Plan(args) => commands::capture::plan(&args, &output).await,
        Command::Capture(args) => commands::capture::capture(args, json).await,
        Command::Inspect(args) => commands::bundle::inspect(&args, json),
        Command::Verify(args) => commands::bundle::verify(&args, json),
        Command::Why(args) => commands::bundle::why(&args, json),
        Command::Up(args) => commands::replay::up(&args, json).await,
        Command::Replay(args) => commands::replay::replay(&args, json).await,
        Command::Run(args) => commands::replay::run(&args).await,
        Command::Ps => commands::environment::ps(json),
        Command::Down(args) => commands::environment::down(&args).await,
        Command::Gc(args) => commands::environment::gc(&args).await,
        Command::Mark(args) => commands::environment::mark(&args).await,
        Command::Keys(args) => commands::keys::run(&args),
        Command::Detect(args) => commands::detect::run(&args, json).await,
        Command::Init(args) => commands::detect::init(&args, &output).await,
        Command::Masks => Ok(commands::masks::run(json)),
        Command::Explain(args) => commands::explain::run(args.code.as_deref(), json),
        Command::Policy(PolicyCommand::Check(args)) => commands::policy::check(&args, json).await,
        Command::Policy(PolicyCommand::Schema) => {
            render::json(&reenact_review::schema::policy_schema());
            Ok(0)
        }
        Command::Policy(PolicyCommand::Test(args)) => commands::policy::test(&args, json).await,
        Command::Policy(PolicyCommand::Diff(args)) => commands::policy::diff(&args, json).await,
        Command::Policy(PolicyCommand::Explain(args)) => commands::policy::explain(&args, json),
        Command::Policy(PolicyCommand::Preview(args)) => commands::preview::preview(&args, json).await,
        Command::Policy(PolicyCommand::Report(args)) => commands::report::report(&args, &output).await,
        Command::Policy(PolicyCommand::Serve(args)) => commands::serve::serve(&args).await,
        Command::Policy(PolicyCommand::Approve(args)) => commands::approvals::approve(&args, json).await,
        Command::Policy(PolicyCommand::VerifyApproval(args)) => commands::approvals::verify(&args, json).await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    #[test]
    fn a_panic_tells_its_place_and_nothing_of_its_message() {
        let told = Arc::new(Mutex::new(String::new()));
        let hook = Arc::clone(&told);
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| *hook.lock().expect("unpoisoned") = super::bug(panic)));
        let (value, line) = ("a canary", line!() + 1);
        let caught = std::panic::catch_unwind(|| panic!("index out of bounds: {value}"));
        std::panic::set_hook(usual);
        assert!(caught.is_err());
        let told = told.lock().expect("unpoisoned").clone();
        assert!(told.contains(&format!("main.rs:{line};")) && told.contains("a bug of reenact"), "{told}");
        assert!(!told.contains("canary") && !told.contains("bounds"), "{told}");
    }
}
