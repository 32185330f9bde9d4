//! The services' own hosts: the generated rows, packed at compile time, and the way to find one.
//!
//! The rows stand in `generated` as a person reads them. What the program carries is one run of names, twelve bytes a
//! row and a hash index: nothing to relocate at start, nothing to build, nothing to allocate.

use super::generated::{SERVICES, SIGNED_ELSEWHERE};
use super::{Kind, Place, Refusal, Scope};

/// A service as the generator writes it.
pub(super) struct Service {
    /// The signing name.
    pub(super) name: &'static str,
    /// Its hosts: what stands before region and suffix, in which zones, and where it signs.
    pub(super) hosts: &'static [(&'static str, u32, Signs)],
    /// Takes bearer tokens alone.
    pub(super) bearer: bool,
}

/// What the region of a host means.
#[derive(Clone, Copy)]
pub(super) enum Signs {
    /// `NAME.REGION.SUFFIX` signs in its region.
    Here,
    /// `NAME.REGION.SUFFIX` signs in this one, whatever its own.
    In(&'static str),
    /// `NAME.SUFFIX`, all of it, signs in this one.
    Whole(&'static str),
}

/// How much of a host a row's name is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// What stands before the region.
    Regional,
    /// What stands before the suffix.
    Whole,
}

#[derive(Clone, Copy)]
pub(super) struct Row {
    zones: u32,
    name_at: u32,
    service: u16,
    name_len: u8,
    /// [`HERE`], or an index into [`SIGNED_ELSEWHERE`] and [`WHOLE`].
    signs: u8,
}

/// The zone of names that `PrivateLink` alone has.
const PRIVATE_LINK: u32 = 1 << 16;

const HERE: u8 = 0x7f;
const WHOLE: u8 = 0x80;

const ROWS: usize = count().0;
const SLOTS: usize = (2 * ROWS).next_power_of_two();
const EMPTY: u16 = u16::MAX;

static NAMES: [u8; count().1] = names();
static TABLE: [Row; ROWS] = rows();
static INDEX: [u16; SLOTS] = index();

impl Row {
    fn name(&self) -> &'static [u8] {
        let at = self.name_at as usize;
        NAMES
            .get(at..at + usize::from(self.name_len))
            .unwrap_or_default()
    }

    const fn form(&self) -> Form {
        if self.signs & WHOLE == 0 {
            Form::Regional
        } else {
            Form::Whole
        }
    }

    const fn service(&self) -> &'static Service {
        &SERVICES[self.service as usize]
    }

    /// The scope of a host that this row describes, which stands at `place`.
    pub(super) fn scope(&self, place: Place, kind: Kind) -> Result<Scope, Refusal> {
        if self.service().bearer {
            return Err(Refusal::Bearer);
        }
        let mut place = place;
        if self.signs != HERE {
            let elsewhere = SIGNED_ELSEWHERE[usize::from(self.signs & !WHOLE)];
            place = place.moved_to(elsewhere)?;
        }
        Ok(place.signs(self.service().name, kind))
    }
}

/// The row of a name in a zone.
pub(super) fn find(name: &str, zone: u32, form: Form) -> Option<&'static Row> {
    named(name).find(|row| row.zones & zone != 0 && row.form() == form)
}

/// The service that has a regional host of this name: in this zone, on `PrivateLink` alone, or in any other zone.
pub(super) fn service(name: &str, zone: u32) -> Option<&'static Service> {
    [zone, PRIVATE_LINK, u32::MAX]
        .into_iter()
        .find_map(|zones| find(name, zones, Form::Regional))
        .map(Row::service)
}

/// The rows of a name.
fn named(name: &str) -> impl Iterator<Item = &'static Row> {
    let name = name.as_bytes();
    let start = hash(name) as usize;
    (0..SLOTS)
        .map_while(move |step| TABLE.get(usize::from(INDEX[(start + step) % SLOTS])))
        .filter(move |row| row.name() == name)
}

/// FNV-1a, which is short and runs at compile time.
const fn hash(bytes: &[u8]) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u32).wrapping_mul(0x0100_0193);
        i += 1;
    }
    hash ^ (hash >> 15)
}

/// Rows, and bytes of their names.
const fn count() -> (usize, usize) {
    let (mut rows, mut bytes, mut s) = (0, 0, 0);
    while s < SERVICES.len() {
        let mut h = 0;
        while h < SERVICES[s].hosts.len() {
            rows += 1;
            bytes += SERVICES[s].hosts[h].0.len();
            h += 1;
        }
        s += 1;
    }
    (rows, bytes)
}

#[expect(clippy::large_stack_arrays, reason = "runs at compile time alone")]
const fn names() -> [u8; count().1] {
    let mut names = [0; count().1];
    let (mut at, mut s) = (0, 0);
    while s < SERVICES.len() {
        let mut h = 0;
        while h < SERVICES[s].hosts.len() {
            let name = SERVICES[s].hosts[h].0.as_bytes();
            let mut i = 0;
            while i < name.len() {
                names[at] = name[i];
                at += 1;
                i += 1;
            }
            h += 1;
        }
        s += 1;
    }
    names
}

#[expect(clippy::large_stack_arrays, reason = "runs at compile time alone")]
#[expect(
    clippy::cast_possible_truncation,
    reason = "asserted at compile time, where no conversion that can fail is to be had"
)]
const fn rows() -> [Row; ROWS] {
    let none = Row {
        zones: 0,
        name_at: 0,
        service: 0,
        name_len: 0,
        signs: HERE,
    };
    let mut rows = [none; ROWS];
    let (mut row, mut at, mut s) = (0, 0, 0);
    assert!(SERVICES.len() < u16::MAX as usize && count().1 < u32::MAX as usize);
    while s < SERVICES.len() {
        let mut h = 0;
        while h < SERVICES[s].hosts.len() {
            let (name, zones, signs) = SERVICES[s].hosts[h];
            assert!(name.len() <= u8::MAX as usize);
            rows[row] = Row {
                zones,
                name_at: at as u32,
                service: s as u16,
                name_len: name.len() as u8,
                signs: match signs {
                    Signs::Here => HERE,
                    Signs::In(region) => elsewhere(region),
                    Signs::Whole(region) => elsewhere(region) | WHOLE,
                },
            };
            at += name.len();
            row += 1;
            h += 1;
        }
        s += 1;
    }
    rows
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "asserted at compile time, where no conversion that can fail is to be had"
)]
const fn elsewhere(region: &str) -> u8 {
    let mut i = 0;
    while i < SIGNED_ELSEWHERE.len() {
        if is_same(SIGNED_ELSEWHERE[i].as_bytes(), region.as_bytes()) {
            assert!(i < HERE as usize);
            return i as u8;
        }
        i += 1;
    }
    unreachable!()
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut i = 0;
    while i < one.len() && i < other.len() && one[i] == other[i] {
        i += 1;
    }
    i == one.len() && i == other.len()
}

/// Where in [`TABLE`] the rows are whose names have a hash, one after the other.
#[expect(
    clippy::cast_possible_truncation,
    reason = "asserted at compile time, where no conversion that can fail is to be had"
)]
const fn index() -> [u16; SLOTS] {
    assert!(ROWS < EMPTY as usize);
    let mut index = [EMPTY; SLOTS];
    let (mut row, mut s) = (0_usize, 0);
    while s < SERVICES.len() {
        let mut h = 0;
        while h < SERVICES[s].hosts.len() {
            let mut slot = hash(SERVICES[s].hosts[h].0.as_bytes()) as usize % SLOTS;
            while index[slot] != EMPTY {
                slot = (slot + 1) % SLOTS;
            }
            index[slot] = row as u16;
            row += 1;
            h += 1;
        }
        s += 1;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_name() {
        for service in SERVICES {
            for (name, zones, _) in service.hosts {
                assert!(
                    named(name)
                        .any(|row| row.zones == *zones && row.service().name == service.name),
                    "{name}"
                );
            }
        }
        assert_eq!(
            TABLE.len(),
            SERVICES.iter().map(|s| s.hosts.len()).sum::<usize>()
        );
    }

    #[test]
    fn no_two_rows_answer_for_one_host() {
        for (i, row) in TABLE.iter().enumerate() {
            for other in named(std::str::from_utf8(row.name()).unwrap()) {
                let same = std::ptr::eq(other, &raw const TABLE[i]);
                assert!(
                    same || other.zones & row.zones == 0 || other.form() != row.form(),
                    "{:?}",
                    std::str::from_utf8(row.name())
                );
            }
        }
    }

    /// A bucket's name stands before them.
    #[test]
    fn no_row_ends_where_a_bucket_may_begin() {
        for row in &TABLE {
            let name = std::str::from_utf8(row.name()).unwrap();
            let name = name.strip_suffix(".dualstack").unwrap_or(name);
            let (left, last) = super::super::split_last(name);
            assert!(left.is_empty() || !last.starts_with("s3"), "{name}");
        }
    }

    #[test]
    fn the_program_carries_little() {
        let bytes = size_of_val(&NAMES) + size_of_val(&TABLE) + size_of_val(&INDEX);
        assert!(bytes < 128 << 10, "{bytes}");
    }
}
