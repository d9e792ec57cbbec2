//! `stoa drain`: takes a running server out of service.

use std::time::{Duration, Instant};

use reqwest::{Client, Method, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    arguments::DrainArgs,
    failure::Failure,
    output,
    plain::plain,
    sender::{Reason, client_of, root_cause},
    url,
};

/// The interval at which the status is asked for.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);
/// The time that the last clients have after the drain's own.
const GRACE: Duration = Duration::from_secs(20);
/// The time that a server has to stop after that.
const STOP_PATIENCE: Duration = Duration::from_secs(60);

/// The server's answer, as far as it is needed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    state: String,
    until: String,
    clients: u64,
    stops: bool,
    message: String,
    /// Whether a drain was ended.
    ended: bool,
    error: Option<Reason>,
}

/// A server that is drained.
struct Server {
    client: Client,
    address: Url,
    name: String,
    token: Option<String>,
}

/// The reason why there is no status.
enum Missed {
    /// Nobody answers there.
    Gone(String),
    /// The server refuses.
    Refused(String),
}

impl From<Missed> for Failure {
    fn from(missed: Missed) -> Self {
        match missed {
            Missed::Gone(reason) | Missed::Refused(reason) => Self::Because(reason),
        }
    }
}

pub(super) async fn drain(args: DrainArgs) -> Result<(), Failure> {
    let client = client_of(&args.server.url, args.server.ca.as_deref());
    let server = Server {
        client: client.map_err(Failure::Because)?,
        address: url::below(&args.server.url, "api/v1/admin/drain"),
        name: url::shown(&args.server.url).to_owned(),
        token: args.server.token,
    };
    if args.status {
        return say(&shown(&server.ask(Method::GET, None).await?));
    }
    if args.end {
        let ended = server.ask(Method::DELETE, None).await?.ended;
        return say(match ended {
            true => "it takes clients again",
            false => "it was not drained: it takes clients",
        });
    }
    let mut wish = json!({ "stop": args.stop });
    if let Some(time) = args.time {
        wish["seconds"] = json!(time.as_secs());
    }
    let begun = server.ask(Method::POST, Some(wish)).await?;
    say(&shown(&begun))?;
    if !begun.message.is_empty() {
        output::note(&plain(&begun.message, 300));
    }
    if args.stop {
        return server.stopped(&begun).await;
    }
    if args.wait {
        return server.drained(&begun).await;
    }
    Ok(())
}

fn say(line: &str) -> Result<(), Failure> {
    output::print(line).map(|_| ()).map_err(Failure::because)
}

/// A status in a line.
fn shown(status: &Status) -> String {
    let clients = match status.clients {
        1 => "1 client is".to_owned(),
        count => format!("{count} clients are"),
    };
    let stops = if status.stops {
        "; it stops at the end"
    } else {
        ""
    };
    match status.state.as_str() {
        "draining" => format!(
            "draining: {clients} connected, all are told to connect again until {}{stops}",
            plain(&status.until, 32)
        ),
        "drained" => format!("drained: {clients} connected{stops}"),
        _ => format!("serving: {clients} connected"),
    }
}

impl Server {
    async fn ask(&self, method: Method, wish: Option<Value>) -> Result<Status, Missed> {
        let mut request = self.client.request(method, self.address.clone());
        if let Some(wish) = &wish {
            request = request.json(wish);
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let gone = |error: &reqwest::Error| {
            Missed::Gone(format!("can't reach {}: {}", self.name, root_cause(error)))
        };
        let answer = request.send().await.map_err(|error| gone(&error))?;
        let code = answer.status();
        let text = answer.bytes().await.map_err(|error| gone(&error))?;
        let status = serde_json::from_slice::<Status>(&text);
        match status {
            Ok(status) if code.is_success() => Ok(status),
            Ok(Status {
                error: Some(reason),
                ..
            }) => {
                let refusal = output::refusal(&reason.code, &reason.message, self.token.is_some());
                Err(Missed::Refused(format!(
                    "{} answered {code}: {refusal}",
                    self.name
                )))
            }
            _ => Err(Missed::Refused(format!(
                "{} answered {code}; is that a Stoa that can be drained?",
                self.name
            ))),
        }
    }

    /// Waits until no client is left.
    async fn drained(&self, begun: &Status) -> Result<(), Failure> {
        let until = Instant::now() + time_left(begun) + GRACE;
        loop {
            let status = self.ask(Method::GET, None).await?;
            match status.state.as_str() {
                "drained" => return say(&shown(&status)),
                "draining" => {}
                _ => return Err(Failure::Because("the drain was ended".into())),
            }
            if Instant::now() > until {
                return Err(Failure::Because(format!(
                    "the time is over, and {} clients are still connected",
                    status.clients
                )));
            }
            tokio::time::sleep(CHECK_INTERVAL).await;
        }
    }

    /// Waits until the server is gone, or another one has taken its place.
    async fn stopped(&self, begun: &Status) -> Result<(), Failure> {
        let until = Instant::now() + time_left(begun) + GRACE + STOP_PATIENCE;
        while Instant::now() < until {
            match self.ask(Method::GET, None).await {
                Err(Missed::Gone(_)) => return say("stopped"),
                Ok(status) if status.state == "serving" => {
                    return say("stopped, and started again");
                }
                Ok(_) => {}
                Err(refused @ Missed::Refused(_)) => return Err(refused.into()),
            }
            tokio::time::sleep(CHECK_INTERVAL).await;
        }
        Err(Failure::Because(format!("{} still answers", self.name)))
    }
}

/// The time until a drain is to be over, by this machine's clock.
fn time_left(status: &Status) -> Duration {
    let until = status.until.parse::<jiff::Timestamp>().ok();
    let left = until.map(|until| until.duration_since(jiff::Timestamp::now()));
    let left = left.and_then(|left| Duration::try_from(left).ok());
    left.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_line() {
        let status = |json: Value| serde_json::from_value::<Status>(json).expect("a status");
        for (json, line) in [
            (
                json!({ "state": "serving", "clients": 0 }),
                "serving: 0 clients are connected",
            ),
            (
                json!({
                    "state": "draining", "clients": 1, "until": "2026-11-29T02:00:00.000Z", "stops": true,
                }),
                "draining: 1 client is connected, all are told to connect again until 2026-11-29T02:00:00.000Z; it stops at the end",
            ),
            (
                json!({ "state": "drained", "clients": 2 }),
                "drained: 2 clients are connected",
            ),
        ] {
            assert_eq!(shown(&status(json)), line);
        }
        let over = json!({ "until": "2026-05-23T14:00:03.500Z" });
        assert_eq!(time_left(&status(over)), Duration::ZERO);
        assert_eq!(time_left(&Status::default()), Duration::ZERO);
    }
}
