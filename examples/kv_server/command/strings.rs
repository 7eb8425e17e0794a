//! Commands on values: reading, writing, counting.

use super::Call;
use super::failure::Failure;
use super::time::TimeFormat;
use crate::number::parse_integer;
use crate::resp::MAX_BULK;
use crate::shard::{CounterError, Entry, Expiry};

pub(super) fn get(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.argument(1);
    let shard = call.store().shard(key);
    call.reply.bulk_or_null(shard.get(key).map(Entry::value));
    Ok(())
}

pub(super) fn set(call: &mut Call<'_>) -> Result<(), Failure> {
    let (key, value) = (call.argument(1), call.argument(2));
    let options = SetOptions::parse(call)?;
    let mut shard = call.store().shard(key);
    if options.condition.is_some() || options.reply_old {
        let old = shard.get(key);
        let allowed = match options.condition {
            None => true,
            Some(Condition::Absent) => old.is_none(),
            Some(Condition::Present) => old.is_some(),
        };
        if options.reply_old {
            call.reply.bulk_or_null(old.map(Entry::value));
        } else if !allowed {
            call.reply.null();
        }
        if !allowed {
            return Ok(());
        }
    }
    shard.set(key, value, options.expiry);
    if !options.reply_old {
        call.reply.simple("OK");
    }
    Ok(())
}

pub(super) fn setnx(call: &mut Call<'_>) -> Result<(), Failure> {
    let (key, value) = (call.argument(1), call.argument(2));
    let mut shard = call.store().shard(key);
    let absent = shard.get(key).is_none();
    if absent {
        shard.set(key, value, Expiry::Never);
    }
    call.reply.integer(i64::from(absent));
    Ok(())
}

pub(super) fn setex(call: &mut Call<'_>) -> Result<(), Failure> {
    set_expiring(call, "setex", TimeFormat::SECONDS)
}

pub(super) fn psetex(call: &mut Call<'_>) -> Result<(), Failure> {
    set_expiring(call, "psetex", TimeFormat::MILLISECONDS)
}

fn set_expiring(call: &mut Call<'_>, command: &str, format: TimeFormat) -> Result<(), Failure> {
    let key = call.argument(1);
    let time = format.positive_deadline(call.argument(2), command)?;
    call.store()
        .shard(key)
        .set(key, call.argument(3), Expiry::At(time));
    call.reply.simple("OK");
    Ok(())
}

pub(super) fn getset(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.argument(1);
    let mut shard = call.store().shard(key);
    call.reply.bulk_or_null(shard.get(key).map(Entry::value));
    shard.set(key, call.argument(2), Expiry::Never);
    Ok(())
}

pub(super) fn getdel(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.argument(1);
    let mut shard = call.store().shard(key);
    call.reply.bulk_or_null(shard.get(key).map(Entry::value));
    shard.remove(key);
    Ok(())
}

pub(super) fn append(call: &mut Call<'_>) -> Result<(), Failure> {
    let (key, suffix) = (call.argument(1), call.argument(2));
    let mut shard = call.store().shard(key);
    let length = shard
        .append(key, suffix, MAX_BULK)
        .ok_or(Failure::STRING_TOO_LONG)?;
    call.reply.integer(length as i64);
    Ok(())
}

pub(super) fn strlen(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.argument(1);
    let shard = call.store().shard(key);
    call.reply
        .integer(shard.get(key).map_or(0, |entry| entry.value().len() as i64));
    Ok(())
}

pub(super) fn mget(call: &mut Call<'_>) -> Result<(), Failure> {
    let keys = call.arguments.from(1);
    let mut shards = call.store().shards_of(keys.clone());
    call.reply.array(call.arguments.len() - 1);
    for key in keys {
        call.reply
            .bulk_or_null(shards.of(key).get(key).map(Entry::value));
    }
    Ok(())
}

pub(super) fn mset(call: &mut Call<'_>) -> Result<(), Failure> {
    if call.arguments.len().is_multiple_of(2) {
        return Err(Failure::wrong_arity("mset"));
    }
    let keys = call.arguments.from(1).step_by(2);
    let values = call.arguments.from(2).step_by(2);
    let mut shards = call.store().shards_of(keys.clone());
    for (key, value) in keys.zip(values) {
        shards.of(key).set(key, value, Expiry::Never);
    }
    call.reply.simple("OK");
    Ok(())
}

pub(super) fn incr(call: &mut Call<'_>) -> Result<(), Failure> {
    add(call, 1)
}

pub(super) fn decr(call: &mut Call<'_>) -> Result<(), Failure> {
    add(call, -1)
}

pub(super) fn incrby(call: &mut Call<'_>) -> Result<(), Failure> {
    let amount = parse_integer(call.argument(2)).ok_or(Failure::NOT_AN_INTEGER)?;
    add(call, amount)
}

pub(super) fn decrby(call: &mut Call<'_>) -> Result<(), Failure> {
    let amount = parse_integer(call.argument(2)).ok_or(Failure::NOT_AN_INTEGER)?;
    // The lowest integer has no counterpart to be added.
    add(
        call,
        amount.checked_neg().ok_or(Failure::DECREMENT_OVERFLOW)?,
    )
}

fn add(call: &mut Call<'_>, amount: i64) -> Result<(), Failure> {
    let key = call.argument(1);
    match call.store().shard(key).add(key, amount) {
        Ok(value) => call.reply.integer(value),
        Err(CounterError::NotAnInteger) => return Err(Failure::NOT_AN_INTEGER),
        Err(CounterError::Overflow) => return Err(Failure::OVERFLOW),
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Absent,
    Present,
}

/// What stands behind the value in `SET key value ...`.
#[derive(Debug)]
struct SetOptions {
    condition: Option<Condition>,
    expiry: Expiry,
    reply_old: bool,
}

impl SetOptions {
    fn parse(call: &Call<'_>) -> Result<Self, Failure> {
        let mut options = Self {
            condition: None,
            expiry: Expiry::Never,
            reply_old: false,
        };
        let mut lifetime: Option<(TimeFormat, &[u8])> = None;
        let mut words = call.arguments.from(3);
        while let Some(word) = words.next() {
            let has_expiry = lifetime.is_some() || options.expiry == Expiry::Keep;
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            if is("nx") {
                options.set_condition(Condition::Absent)?;
            } else if is("xx") {
                options.set_condition(Condition::Present)?;
            } else if is("get") {
                options.reply_old = true;
            } else if has_expiry {
                return Err(Failure::SYNTAX);
            } else if is("keepttl") {
                options.expiry = Expiry::Keep;
            } else {
                let format = TimeFormat::named(word).ok_or(Failure::SYNTAX)?;
                lifetime = Some((format, words.next().ok_or(Failure::SYNTAX)?));
            }
        }
        // A wrong number is told only where the words around it are right.
        if let Some((format, amount)) = lifetime {
            options.expiry = Expiry::At(format.positive_deadline(amount, "set")?);
        }
        Ok(options)
    }

    fn set_condition(&mut self, condition: Condition) -> Result<(), Failure> {
        if self.condition.is_some_and(|earlier| earlier != condition) {
            return Err(Failure::SYNTAX);
        }
        self.condition = Some(condition);
        Ok(())
    }
}
