//! The helper, from exec to exit, against `/bin/true`.

use crate::{
    Failure,
    agent::{Agent, GRANT},
    load::Sample,
    machine,
    report::{Figure, Row, Section},
    run::Setup,
};
use alter_protocol::{Delivery, Session, pod};
use std::{
    fs,
    io::Read,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Runs of each, in turn.
const RUNS: usize = 2_000;
/// Runs before anything counts.
const WARM_UP: usize = 100;

/// Measures.
pub(crate) async fn measure(setup: &Setup) -> Result<Section, Failure> {
    let load = machine::load().await?;
    let agent = Agent::start(setup, Delivery::Process).await?;
    let program = agent.shared(pod::HELPER)?;
    let (_, document) = run(&program, &[GRANT])?;
    Session::from_process_json(&document)?;

    let (mut helper, mut floor) = (Sample::new()?, Sample::new()?);
    for number in 0..WARM_UP + RUNS {
        let (floor_took, _) = run(Path::new("/bin/true"), &[])?;
        let (took, printed) = run(&program, &[GRANT])?;
        if printed != document {
            return Err("the helper did not print the same session again".into());
        }
        if number >= WARM_UP {
            floor.record(floor_took)?;
            helper.record(took)?;
        }
    }
    let size = fs::metadata(&program)?.len();
    let time = |sample: &Sample, quantile| Figure::Time(sample.latency(quantile));
    Ok(Section {
        title: "Helper, exec to exit",
        method: format!(
            "`alter-credential-process {GRANT}` asks a running agent and prints the session; the floor is \
             `/bin/true`. {RUNS} runs of each, in turn, one at a time. A run is timed from before the process is \
             made until it is waited for, its standard output read to the end, as SDKs do."
        ),
        load,
        rows: vec![
            Row::new("median", time(&helper, 0.5))
                .floor(time(&floor, 0.5))
                .at_most(Figure::Time(Duration::from_millis(2))),
            Row::new("p99", time(&helper, 0.99)).floor(time(&floor, 0.99)),
            Row::new("size of the program", Figure::Bytes(size)).at_most(Figure::Bytes(1_000_000)),
        ],
    })
}

/// How long a run took, and what it printed.
fn run(program: &Path, arguments: &[&str]) -> Result<(Duration, Vec<u8>), Failure> {
    let mut printed = Vec::with_capacity(8 * 1024);
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    let begin = Instant::now();
    let mut child = command.spawn()?;
    if let Some(mut pipe) = child.stdout.take() {
        pipe.read_to_end(&mut printed)?;
    }
    let status = child.wait()?;
    let took = begin.elapsed();
    if !status.success() {
        return Err(format!("{}: {status}", program.display()).into());
    }
    Ok((took, printed))
}
