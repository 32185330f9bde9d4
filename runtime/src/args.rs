//! The arguments that every server takes.

use crate::{
    logging::{self, LogFormat},
    watch::Scope,
};
use std::{net::SocketAddr, time::Duration};

/// The arguments that every server takes; flatten them into the program's own.
#[derive(clap::Args, Clone, Debug)]
pub struct ServerArgs {
    /// Where /livez, /readyz and /metrics are served, over plain HTTP.
    #[arg(long, env = "ALTER_HEALTH_ADDRESS", default_value = "0.0.0.0:8081")]
    pub health_address: SocketAddr,
    /// Namespaces to watch, comma-separated, where the program's rights end at those; the whole cluster by default.
    #[arg(
        long,
        env = "ALTER_WATCH_NAMESPACES",
        default_value = "",
        hide_default_value = true
    )]
    pub watch_namespaces: Scope,
    /// What is logged: a level, or `target=level` pairs separated by commas.
    #[arg(long, env = "ALTER_LOG", default_value = "info", value_parser = logging::check_filter)]
    pub log: String,
    /// The form of a log line.
    #[arg(long, env = "ALTER_LOG_FORMAT", value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,
}

/// Reads a pause between two tries of something: below a second, there would be none.
pub fn interval(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration >= Duration::from_secs(1) => Ok(duration),
        Ok(_) => Err("shorter than a second: write 1s or more".to_owned()),
        Err(error) => Err(format!("{error}: write a duration such as 5m")),
    }
}

/// Reads calls a second.
pub fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("no number above zero: write calls a second, such as 50".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        server: ServerArgs,
    }

    #[test]
    fn nothing_needs_to_be_set() {
        let args = Program::parse_from(["program"]).server;
        assert_eq!(args.health_address, "0.0.0.0:8081".parse().unwrap());
        assert_eq!(args.log, "info");
        assert_eq!(args.log_format, LogFormat::Json);
    }

    #[test]
    fn a_filter_that_cannot_be_read_stops_the_program_at_its_start() {
        let error = Program::try_parse_from(["program", "--log", "kube=loud"])
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("kube=loud") && error.contains("alter_operator=debug"),
            "{error}"
        );
    }
}
