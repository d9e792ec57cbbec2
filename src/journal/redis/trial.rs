//! A trial of an engine before it is used: whether it does what a journal asks of it, and what may go wrong with it one day.

use redis::{Connection, RedisResult};

use super::{
    RedisOptions,
    keys::Keys,
    options::Acks,
    past,
    scripts::{Appended, Kept, Scripts},
    writer::wait_for_replica,
};
use crate::{
    engine::{Engine, Fault},
    timestamp::Timestamp,
};

/// The oldest version that has all commands, as numbers and as a word.
const OLDEST: ([u32; 2], &str) = ([6, 2], "6.2");

/// The outcome of a trial.
#[derive(Debug)]
pub struct Trial {
    /// The engine's name and version.
    pub engine: String,
    /// The work that it does, and the events that it keeps for the deployment.
    pub found: String,
    /// Settings of the engine that may lose events, or end with none taken.
    pub warnings: Vec<String>,
}

/// Tries an engine: connects, keeps an event and reads it, as often as the acknowledgements promise, and takes it away again.
pub(super) fn run(options: &RedisOptions) -> Result<Trial, Fault> {
    try_out(options).map_err(|fault| fault.within(options.timeout))
}

fn try_out(options: &RedisOptions) -> Result<Trial, Fault> {
    let way = Engine::new(&options.url, &options.sentinels, options.timeout)?;
    let mut connection = way.connect(options.timeout)?;
    let engine = version(&mut connection)?;
    let trial = Keys::of_trial(&options.deployment);
    let kept = keep(&mut connection, &trial, options);
    // A trial that failed half way leaves keys, too.
    let mut forget = redis::cmd("DEL");
    let all = [
        &trial.meta,
        &trial.stream,
        &trial.ids,
        &trial.generations,
        &trial.lease,
    ];
    let forgotten = forget.arg(&all).query::<u64>(&mut connection);
    kept?;
    forgotten?;
    let ends = past::ends(&mut connection, &Keys::of(&options.deployment))?;
    let holds = match ends.epoch {
        Some(_) => format!("keeps events {} to {} of", ends.first, ends.last),
        None => "keeps nothing yet of".into(),
    };
    let deployment = &options.deployment;
    Ok(Trial {
        engine,
        found: format!("takes events, and {holds} the deployment {deployment:?}"),
        warnings: warnings(&mut connection, options),
    })
}

/// Keeps an event under these keys, and reads it.
fn keep(connection: &mut Connection, keys: &Keys, options: &RedisOptions) -> Result<(), Fault> {
    let event = Kept {
        id: *b"one event's id  ",
        content: 0,
        text: "{}".into(),
    };
    let (scripts, now) = (Scripts::new(), Timestamp::now().as_micros() / 1_000);
    let epoch = scripts.begin(connection, keys, now)?;
    let events = std::iter::once(&event);
    let kept = scripts.append(connection, keys, (now, epoch), events)?;
    if !matches!(kept, Appended::Told(_)) {
        return Err(Fault::Ended);
    }
    wait_for_replica(connection, keys, options, true)?;
    scripts.lease(connection, keys, (&options.node, 1_000))?;
    // Nodes tell each other all that no journal keeps.
    let mut publish = redis::cmd("PUBLISH");
    publish.arg(&keys.meta).arg("").query::<u64>(connection)?;
    scripts.leave(connection, keys, &options.node)?;
    match past::after(connection, keys, 0, (1, 1))?.as_slice() {
        [one] if one.kept.text == event.text => Ok(()),
        _ => Err(Fault::Foreign(keys.stream.clone())),
    }
}

/// The name and version of an engine that is new enough.
pub(super) fn version(connection: &mut Connection) -> Result<String, Fault> {
    let info: String = redis::cmd("INFO").arg("server").query(connection)?;
    let told = |name: &str| {
        let mut lines = info.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
    };
    if let Some(valkey) = told("valkey_version") {
        return Ok(format!("Valkey {valkey}"));
    }
    let Some(version) = told("redis_version") else {
        return Ok("an engine that does not say its version".into());
    };
    let numbers = version
        .split('.')
        .map_while(|part| part.parse::<u32>().ok());
    match numbers.take(2).lt(OLDEST.0) {
        true => Err(Fault::TooOld(version.into(), OLDEST.1)),
        false => Ok(format!("Redis {version}")),
    }
}

/// Settings of the engine that may do harm. A hosted engine may not let them be read: then nothing is said of them.
fn warnings(connection: &mut Connection, options: &RedisOptions) -> Vec<String> {
    let mut setting = |name: &str| -> Option<String> {
        let asked: RedisResult<Vec<String>> =
            redis::cmd("CONFIG").arg("GET").arg(name).query(connection);
        asked.ok()?.pop()
    };
    let mut warnings = Vec::new();
    if let Some(policy) = setting("maxmemory-policy").filter(|policy| policy != "noeviction") {
        warnings.push(format!(
            "the journal's engine has maxmemory-policy {policy}, and may throw the journal away when its memory is full: set noeviction"
        ));
    }
    if setting("appendonly").is_some_and(|is| is == "no") {
        warnings.push(
            "the journal's engine has appendonly no, and loses events when it is restarted: set appendonly yes".into(),
        );
    }
    let most = setting("maxmemory").and_then(|most| most.parse::<u64>().ok());
    let kept = options.retention.max_bytes;
    if let Some(most) = most.filter(|most| (1..=kept).contains(most)) {
        warnings.push(format!(
            "the journal's engine has maxmemory {most}, and [journal] max_bytes is {kept}: it refuses events before the oldest go; give it more, or keep less"
        ));
    }
    if options.acks == Acks::Disk && setting("appendfsync").is_some_and(|is| is == "no") {
        warnings.push(
            "[journal] acks is \"disk\" and the engine has appendfsync no, so answers wait long for its disk: set everysec or always".into(),
        );
    }
    warnings
}
