//! The ways in which a request may name a time.

use super::failure::Failure;
use crate::number::parse_integer;
use crate::shard::now;

/// A unit, and where it is counted from.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeFormat {
    /// How many milliseconds make one.
    unit: i64,
    from_now: bool,
}

impl TimeFormat {
    pub(super) const SECONDS: Self = Self {
        unit: 1000,
        from_now: true,
    };
    pub(super) const MILLISECONDS: Self = Self {
        unit: 1,
        from_now: true,
    };
    pub(super) const UNIX_SECONDS: Self = Self {
        unit: 1000,
        from_now: false,
    };
    pub(super) const UNIX_MILLISECONDS: Self = Self {
        unit: 1,
        from_now: false,
    };

    /// Returns the format that an option of `SET` stands for.
    pub(super) fn named(option: &[u8]) -> Option<Self> {
        let formats = [
            ("ex", Self::SECONDS),
            ("px", Self::MILLISECONDS),
            ("exat", Self::UNIX_SECONDS),
            ("pxat", Self::UNIX_MILLISECONDS),
        ];
        let is_named = |(name, _): &(&str, Self)| option.eq_ignore_ascii_case(name.as_bytes());
        formats.into_iter().find(is_named).map(|(_, format)| format)
    }

    /// Reads a time and returns it in milliseconds since 1970.
    pub(super) fn deadline(self, amount: &[u8], command: &str) -> Result<i64, Failure> {
        let amount = parse_integer(amount).ok_or(Failure::NOT_AN_INTEGER)?;
        let origin = if self.from_now { now() } else { 0 };
        amount
            .checked_mul(self.unit)
            .and_then(|milliseconds| milliseconds.checked_add(origin))
            .ok_or_else(|| Failure::invalid_expire_time(command))
    }

    /// Reads a time that, as a lifetime of a new value, has to be more than nothing.
    pub(super) fn positive_deadline(self, amount: &[u8], command: &str) -> Result<i64, Failure> {
        if parse_integer(amount).is_some_and(|amount| amount <= 0) {
            return Err(Failure::invalid_expire_time(command));
        }
        self.deadline(amount, command)
    }
}
