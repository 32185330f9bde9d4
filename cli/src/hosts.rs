//! `alter hosts`: hosts in, signing scopes out.

use alter_sigv4::hosts;
use std::io::{self, BufRead, Write};

/// Answers each line of `input` with one on `output`, in order; why a host is refused goes to `reasons`.
///
/// # Errors
/// Reading or writing failed.
pub fn run(
    mut input: impl BufRead,
    mut output: impl Write,
    mut reasons: impl Write,
) -> io::Result<()> {
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        // What is no text is no host either, and is said to be none.
        let text = String::from_utf8_lossy(&line);
        let host = text.trim();
        match hosts::scope(host) {
            Ok(scope) => {
                let algorithm = scope.algorithm.name();
                writeln!(
                    output,
                    "{host}\t{}\t{}\t{algorithm}",
                    scope.service, scope.region
                )?;
            }
            Err(refusal) => {
                writeln!(output, "{host}\t-\t-\t-")?;
                writeln!(reasons, "{host}: {refusal}")?;
            }
        }
        line.clear();
    }
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(input: &[u8]) -> (String, String) {
        let (mut output, mut reasons) = (Vec::new(), Vec::new());
        run(input, &mut output, &mut reasons).unwrap();
        (
            String::from_utf8(output).unwrap(),
            String::from_utf8(reasons).unwrap(),
        )
    }

    #[test]
    fn a_line_in_is_a_line_out() {
        let (output, reasons) = answers(
            b"bedrock-runtime.us-west-2.amazonaws.com\r\nlocalhost\n\nx.mrap.accesspoint.s3-global.amazonaws.com",
        );
        assert_eq!(
            output,
            "bedrock-runtime.us-west-2.amazonaws.com\tbedrock\tus-west-2\tsigv4\n\
             localhost\t-\t-\t-\n\
             \t-\t-\t-\n\
             x.mrap.accesspoint.s3-global.amazonaws.com\ts3\t*\tsigv4a\n"
        );
        let lines: Vec<&str> = reasons.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(
            lines[0].starts_with("localhost: ") && lines[1].starts_with(": no host"),
            "{reasons}"
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let (output, reasons) = answers(b"\xff\xfe.amazonaws.com\nsts.amazonaws.com\n");
        assert!(
            output.contains("\t-\t-\t-\nsts.amazonaws.com\tsts\t"),
            "{output}"
        );
        assert_eq!(reasons.lines().count(), 1);
    }
}
