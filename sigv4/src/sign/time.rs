//! Times as signatures write them.

use super::SignError;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// A moment, to the second.
#[derive(Clone, Copy)]
pub(super) struct Moment(DateTime);

impl Moment {
    pub(super) fn new(time: Timestamp) -> Result<Self, SignError> {
        let time = Offset::UTC.to_datetime(time);
        if time.year() < 0 {
            return Err(SignError::Year(time.year()));
        }
        Ok(Self(time))
    }

    /// `20260304`
    pub(super) fn day(self) -> String {
        format!(
            "{:04}{:02}{:02}",
            self.0.year(),
            self.0.month(),
            self.0.day()
        )
    }

    /// `20260304T050607Z`
    pub(super) fn full(self) -> String {
        let Self(time) = self;
        format!(
            "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
            time.year(),
            time.month(),
            time.day(),
            time.hour(),
            time.minute(),
            time.second()
        )
    }

    /// `Wed, 04 Mar 2026 05:06:07 -0000`, as botocore writes a `Date` that it signs.
    pub(super) fn date_header(self) -> String {
        const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let Self(time) = self;
        let name = |names: &[&'static str], index: i8| {
            usize::try_from(index)
                .ok()
                .and_then(|i| names.get(i).copied())
                .unwrap_or_default()
        };
        format!(
            "{}, {:02} {} {:04} {:02}:{:02}:{:02} -0000",
            name(&DAYS, time.weekday().to_monday_zero_offset()),
            time.day(),
            name(&MONTHS, time.month() - 1),
            time.year(),
            time.hour(),
            time.minute(),
            time.second()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_moment_in_three_forms() {
        let moment = Moment::new("2026-03-04T05:06:07.9Z".parse().unwrap()).unwrap();
        assert_eq!(moment.day(), "20260304");
        assert_eq!(moment.full(), "20260304T050607Z");
        assert_eq!(moment.date_header(), "Wed, 04 Mar 2026 05:06:07 -0000");
        assert!(Moment::new(Timestamp::MIN).is_err());
        assert!(Moment::new(Timestamp::MAX).is_ok());
    }
}
