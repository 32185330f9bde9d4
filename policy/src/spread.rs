//! What keeps grants that were made together, or failed together, from asking AWS together.

use sha2::{Digest, Sha256};

/// From 0 to 1: always the same for an object and a turn of its, and another for the next of either.
#[must_use]
pub fn spread(uid: &str, turn: &[u8]) -> f64 {
    let hash = Sha256::new()
        .chain_update(uid)
        .chain_update(turn)
        .finalize();
    f64::from(u16::from_be_bytes([hash[0], hash[1]])) / f64::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_turns_are_spread_and_a_restart_decides_the_same() {
        let all: Vec<_> = (0..100_u8)
            .flat_map(|n| [spread(&n.to_string(), &[0]), spread("a", &[n])])
            .collect();
        for tenth in 0..10 {
            let from = f64::from(tenth) / 10.0;
            let within = all.iter().filter(|at| (from..=from + 0.1).contains(*at));
            assert!(within.count() > 5, "{tenth}");
        }
        assert!((spread("a", &[1]) - spread("a", &[1])).abs() < f64::EPSILON);
    }
}
