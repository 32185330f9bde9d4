//! Kubernetes quantities, read to be compared.
//!
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>

/// A thousand-millionth, the smallest part that a quantity can hold.
const NANO: i128 = 1_000_000_000;

/// The amount in thousand-millionths; `None` where the text is no quantity, or beyond what one can hold.
#[must_use]
pub(super) fn nanos(text: &str) -> Option<i128> {
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-')))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (numerator, denominator) = scale(suffix)?;
    let (negative, digits) = match number.as_bytes().first()? {
        b'-' => (true, &number[1..]),
        b'+' => (false, &number[1..]),
        _ => (false, number),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all: String = [whole, fraction].concat();
    if all.is_empty() || !all.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let ten_to = |places: usize| 10_i128.checked_pow(u32::try_from(places).ok()?);
    let amount = all
        .parse::<i128>()
        .ok()?
        .checked_mul(numerator)?
        .checked_mul(NANO)?
        / denominator
        / ten_to(fraction.len())?;
    Some(if negative { -amount } else { amount })
}

/// What a suffix multiplies by, as a fraction.
fn scale(suffix: &str) -> Option<(i128, i128)> {
    const K: i128 = 1_000;
    const KI: i128 = 1_024;
    Some(match suffix {
        "n" => (1, K.pow(3)),
        "u" => (1, K.pow(2)),
        "m" => (1, K),
        "" => (1, 1),
        "k" => (K, 1),
        "M" => (K.pow(2), 1),
        "G" => (K.pow(3), 1),
        "T" => (K.pow(4), 1),
        "P" => (K.pow(5), 1),
        "E" => (K.pow(6), 1),
        "Ki" => (KI, 1),
        "Mi" => (KI.pow(2), 1),
        "Gi" => (KI.pow(3), 1),
        "Ti" => (KI.pow(4), 1),
        "Pi" => (KI.pow(5), 1),
        "Ei" => (KI.pow(6), 1),
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            let size = 10_i128.checked_pow(power.unsigned_abs().min(40))?;
            if power < 0 { (1, size) } else { (size, 1) }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_same_amount_in_other_words_is_the_same() {
        for same in [
            &["1", "1000m", "1.0", "+1", "1e0", "0.001k"][..],
            &["1Gi", "1024Mi", "1073741824"],
            &["500m", "0.5", ".5", "5e-1"],
            &["1G", "1e9", "1E9", "1000M"],
            &["0", "0m", "0Gi"],
        ] {
            let amounts: Vec<_> = same.iter().map(|text| nanos(text)).collect();
            assert!(
                amounts[0].is_some() && amounts.iter().all(|amount| *amount == amounts[0]),
                "{same:?}: {amounts:?}"
            );
        }
        assert!(nanos("128M") < nanos("128Mi"));
        assert!(nanos("-1") < nanos("0"));
    }

    #[test]
    fn what_is_no_quantity() {
        for bad in [
            "", "m", "1 Gi", "1gi", "ten", "1.2.3", "--1", "1e", ".", "1e99", "1-1",
        ] {
            assert_eq!(nanos(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "[-+0-9.eEKMGinum]{0,60}|.{0,20}") {
            let _ = nanos(&text);
        }
    }
}
