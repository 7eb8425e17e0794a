//! Commands on keys, whatever they hold: existence, expiry, enumeration.

use super::Call;
use super::failure::Failure;
use super::time::TimeFormat;
use crate::glob;
use crate::shard::{Shard, now};

pub(super) fn del(call: &mut Call<'_>) -> Result<(), Failure> {
    count_keys(call, Shard::remove)
}

pub(super) fn exists(call: &mut Call<'_>) -> Result<(), Failure> {
    count_keys(call, |shard, key| shard.get(key).is_some())
}

/// Replies for how many keys the answer is yes; a key that is named twice is asked twice.
fn count_keys(
    call: &mut Call<'_>,
    mut question: impl FnMut(&mut Shard, &[u8]) -> bool,
) -> Result<(), Failure> {
    let keys = call.arguments.from(1);
    let mut shards = call.store().shards_of(keys.clone());
    let count = keys.filter(|key| question(shards.of(key), key)).count();
    call.reply.integer(count as i64);
    Ok(())
}

pub(super) fn type_of(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.argument(1);
    let exists = call.store().shard(key).get(key).is_some();
    call.reply.simple(if exists { "string" } else { "none" });
    Ok(())
}

pub(super) fn expire(call: &mut Call<'_>) -> Result<(), Failure> {
    set_expiry(call, "expire", TimeFormat::SECONDS)
}

pub(super) fn pexpire(call: &mut Call<'_>) -> Result<(), Failure> {
    set_expiry(call, "pexpire", TimeFormat::MILLISECONDS)
}

pub(super) fn expireat(call: &mut Call<'_>) -> Result<(), Failure> {
    set_expiry(call, "expireat", TimeFormat::UNIX_SECONDS)
}

pub(super) fn pexpireat(call: &mut Call<'_>) -> Result<(), Failure> {
    set_expiry(call, "pexpireat", TimeFormat::UNIX_MILLISECONDS)
}

fn set_expiry(call: &mut Call<'_>, command: &str, format: TimeFormat) -> Result<(), Failure> {
    let key = call.argument(1);
    let conditions = ExpireConditions::parse(call)?;
    let time = format.deadline(call.argument(2), command)?;
    let mut shard = call.store().shard(key);
    let allowed = shard
        .get(key)
        .is_some_and(|entry| conditions.allow(entry.expires_at(), time));
    if allowed {
        // A time that has passed already makes the key absent at once; the sweep does the rest.
        shard.expire_at(key, Some(time));
    }
    call.reply.integer(i64::from(allowed));
    Ok(())
}

pub(super) fn persist(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.argument(1);
    let mut shard = call.store().shard(key);
    let had_expiry = shard
        .get(key)
        .is_some_and(|entry| entry.expires_at().is_some());
    if had_expiry {
        shard.expire_at(key, None);
    }
    call.reply.integer(i64::from(had_expiry));
    Ok(())
}

pub(super) fn ttl(call: &mut Call<'_>) -> Result<(), Failure> {
    // Rounded as Redis does it: a key that was set to live for one second shows 1, not 0.
    reply_lifetime(call, |milliseconds| (milliseconds + 500) / 1000)
}

pub(super) fn pttl(call: &mut Call<'_>) -> Result<(), Failure> {
    reply_lifetime(call, |milliseconds| milliseconds)
}

fn reply_lifetime(call: &mut Call<'_>, in_unit: fn(i64) -> i64) -> Result<(), Failure> {
    let key = call.argument(1);
    let expiry = call
        .store()
        .shard(key)
        .get(key)
        .map(|entry| entry.expires_at());
    call.reply.integer(match expiry {
        None => -2,
        Some(None) => -1,
        Some(Some(time)) => in_unit(time.saturating_sub(now()).clamp(0, i64::MAX - 500)),
    });
    Ok(())
}

pub(super) fn keys(call: &mut Call<'_>) -> Result<(), Failure> {
    let pattern = call.argument(1);
    let shards = call.store().all_shards();
    let all = || shards.iter().flat_map(Shard::live_keys);
    // Their number goes first, and the clock moves between two counts: so the keys are gathered once.
    let found: Vec<&[u8]> = all().filter(|key| glob::matches(pattern, key)).collect();
    call.reply.array(found.len());
    for key in found {
        call.reply.bulk(key);
    }
    Ok(())
}

pub(super) fn dbsize(call: &mut Call<'_>) -> Result<(), Failure> {
    let count: usize = call.store().all_shards().iter().map(Shard::len).sum();
    call.reply.integer(count as i64);
    Ok(())
}

pub(super) fn flush(call: &mut Call<'_>) -> Result<(), Failure> {
    let mode = call.arguments.get(1);
    let is_known =
        |mode: &[u8]| mode.eq_ignore_ascii_case(b"async") || mode.eq_ignore_ascii_case(b"sync");
    if call.arguments.len() > 2 || !mode.is_none_or(is_known) {
        return Err(Failure::SYNTAX);
    }
    call.store().clear();
    call.reply.simple("OK");
    Ok(())
}

/// What stands behind the time in `EXPIRE key time ...`.
#[derive(Debug, Default)]
struct ExpireConditions {
    only_without: bool,
    only_with: bool,
    only_later: bool,
    only_earlier: bool,
}

impl ExpireConditions {
    fn parse(call: &Call<'_>) -> Result<Self, Failure> {
        let mut conditions = Self::default();
        for word in call.arguments.from(3) {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            match () {
                () if is("nx") => conditions.only_without = true,
                () if is("xx") => conditions.only_with = true,
                () if is("gt") => conditions.only_later = true,
                () if is("lt") => conditions.only_earlier = true,
                () => return Err(Failure::unsupported_option(word)),
            }
        }
        let with_others = conditions.only_with || conditions.only_later || conditions.only_earlier;
        if conditions.only_without && with_others {
            return Err(Failure::NX_WITH_OTHERS);
        }
        if conditions.only_later && conditions.only_earlier {
            return Err(Failure::GT_WITH_LT);
        }
        Ok(conditions)
    }

    /// A key that never expires counts as one that does so later than any other.
    fn allow(&self, current: Option<i64>, new: i64) -> bool {
        !(self.only_without && current.is_some()
            || self.only_with && current.is_none()
            || self.only_later && current.is_none_or(|current| new <= current)
            || self.only_earlier && current.is_some_and(|current| new >= current))
    }
}
