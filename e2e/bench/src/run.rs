//! The command line, and the parts one after another.

use crate::{
    Failure, admission, broker, endpoint,
    floor::{self, Floor},
    helper, machine, operator,
    report::Section,
    taking_away,
};
use clap::{Parser, Subcommand, ValueEnum};
use std::{fmt::Write, fs, io::Write as _, path::PathBuf};
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
};

/// Measures the programs, each against a floor of the same run.
#[derive(Parser)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures.
    Measure(Measure),
    /// Serves constant bytes; `measure` starts it.
    #[command(hide = true)]
    Floor(Floor),
}

#[derive(clap::Args)]
struct Measure {
    /// What is measured; everything where absent.
    parts: Vec<Part>,
    /// Where the report goes, besides standard output.
    #[arg(long)]
    write: Option<PathBuf>,
    /// A report to which the sections are added, besides standard output.
    #[arg(long, conflicts_with = "write")]
    append: Option<PathBuf>,
    /// The commit that was built.
    #[arg(long)]
    commit: String,
    #[command(flatten)]
    setup: Setup,
}

/// A part of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The helper, exec to exit.
    Helper,
    /// The agent's loopback endpoint.
    Endpoint,
    /// Pods through the webhook.
    Admission,
    /// A thousand pods at the broker.
    Broker,
    /// The operator with 1,000 and 10,000 grants.
    Operator,
    /// From taking a session away to its refusal, in the cluster of the environment.
    TakingAway,
}

/// What is measured, and what that takes.
#[derive(clap::Args)]
pub(crate) struct Setup {
    /// The folder of the programs.
    #[arg(long)]
    programs: PathBuf,
    /// The helper.
    #[arg(long)]
    pub(crate) helper: PathBuf,
    /// The folder of the kinds' definitions.
    #[arg(long)]
    pub(crate) crds: PathBuf,
}

impl Setup {
    /// The path of a program.
    #[must_use]
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }
}

/// Does what the command line says.
pub fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Floor(floor) => runtime(floor.threads)?.block_on(floor::serve(floor)),
        Command::Measure(measure) => measure.run(),
    }
}

impl Measure {
    #[expect(
        clippy::print_stdout,
        reason = "the tables are what the program is for"
    )]
    fn run(self) -> Result<(), Failure> {
        let parts = match &self.parts[..] {
            [] => Part::value_variants(),
            some => some,
        };
        let head = self.head()?;
        println!("{head}");
        let mut sections = String::new();
        for part in parts {
            for section in part.measure(&self.setup)? {
                println!("{section}");
                write!(sections, "\n{section}")?;
            }
        }
        if let Some(path) = &self.write {
            fs::write(path, head + &sections)?;
        }
        if let Some(path) = &self.append {
            let mut report = fs::File::options().append(true).open(path)?;
            report.write_all(sections.as_bytes())?;
        }
        Ok(())
    }

    fn head(&self) -> Result<String, Failure> {
        let mut head = format!(
            "{}\n- date: {}\n- commit: {}\n",
            include_str!("head.md"),
            crate::now().strftime("%Y-%m-%d"),
            self.commit
        );
        for fact in machine::describe()? {
            writeln!(head, "- {fact}")?;
        }
        Ok(head)
    }
}

impl Part {
    fn measure(self, setup: &Setup) -> Result<Vec<Section>, Failure> {
        // The load generator keeps to one core, as far as the system lets it.
        let generator = || runtime(1);
        Ok(match self {
            Self::Helper => vec![generator()?.block_on(unless_ended(helper::measure(setup)))?],
            Self::Endpoint => vec![generator()?.block_on(unless_ended(endpoint::measure(setup)))?],
            Self::Admission => {
                vec![generator()?.block_on(unless_ended(admission::measure(setup)))?]
            }
            Self::Broker => vec![generator()?.block_on(unless_ended(broker::measure(setup)))?],
            Self::Operator => {
                let threads = std::thread::available_parallelism()?.get();
                let runtime = runtime(threads)?;
                let sizes = operator::SIZES.iter();
                let measured =
                    sizes.map(|grants| runtime.block_on(operator::measure(setup, *grants)));
                measured.collect::<Result<_, _>>()?
            }
            Self::TakingAway => vec![generator()?.block_on(unless_ended(taking_away::measure()))?],
        })
    }
}

/// Programs that a part has started end with it, also where a signal ends it.
async fn unless_ended<T>(part: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        measured = part => measured,
        _ = terminate.recv() => Err("ended by SIGTERM".into()),
        _ = interrupt.recv() => Err("ended by SIGINT".into()),
    }
}

fn runtime(threads: usize) -> std::io::Result<Runtime> {
    match threads {
        1 => Builder::new_current_thread().enable_all().build(),
        more => Builder::new_multi_thread()
            .worker_threads(more)
            .enable_all()
            .build(),
    }
}
