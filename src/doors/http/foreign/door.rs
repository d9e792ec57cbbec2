//! The doors of their own, each for one language.

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use http::HeaderMap;
use serde::Deserialize;

use super::{messages::Messages, relay::relay, session::Session};
use crate::doors::http::{
    api::Api,
    caller::Caller,
    events::answer,
    extract::{Filters, Parameters, media_type, says_json},
    packed::unpacked,
    uploading::{Upload, json_events},
};
use crate::{
    config::Role,
    error::Error,
    intake::{Raw, Receipt, too_large},
    net::{NextPart, Steady, read_body},
    translate::{Language, StreamContext},
};

/// The path of streams of AG-UI.
pub(crate) const AG_UI: &str = "/ag-ui/in";
/// The path of UI message streams of Vercel's AI SDK.
pub(crate) const VERCEL: &str = "/vercel/in";
/// The path of LangGraph's events.
pub(crate) const LANGGRAPH: &str = "/langgraph/in";

/// The most bytes of a parameter.
const MAX_PARAMETER: usize = 256;

/// The facts of a stream, and the number of the body.
type Said = (StreamContext, Option<u64>);

/// The parameters of a stream.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct StreamParameters {
    project: Option<String>,
    agent: Option<String>,
    thread: Option<String>,
    run: Option<String>,
    body: Option<u64>,
}

impl Parameters for StreamParameters {
    const NAMES: &'static [&'static str] = &["project", "agent", "thread", "run", "body"];
}

impl StreamParameters {
    /// The number of the body within its thread.
    fn number(&self) -> Result<Option<u64>, Error> {
        let is_of_thread = self
            .thread
            .as_ref()
            .is_some_and(|thread| !thread.is_empty());
        match self.body {
            Some(_) if !is_of_thread => Err(Error::bad_request(
                "body is the number of a body within its thread: say thread, too",
            )),
            number => Ok(number),
        }
    }

    /// The facts of the stream.
    fn context(self) -> Result<StreamContext, Error> {
        let fact = |name: &str, value: Option<String>| match value.filter(|v| !v.is_empty()) {
            Some(long) if long.len() > MAX_PARAMETER => Err(Error::bad_request(format!(
                "{name} may have {MAX_PARAMETER} bytes: use a shorter one"
            ))),
            value => Ok(value.map(Into::into)),
        };
        Ok(StreamContext {
            project: fact("project", self.project)?,
            agent: fact("agent", self.agent)?,
            thread: fact("thread", self.thread)?,
            run: fact("run", self.run)?,
        })
    }
}

pub(crate) async fn ag_ui(
    State(api): State<Api>,
    caller: Caller,
    Filters(parameters): Filters<StreamParameters>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    take(&api, &caller, Language::AgUi, parameters, &headers, body).await
}

pub(crate) async fn vercel(
    State(api): State<Api>,
    caller: Caller,
    Filters(parameters): Filters<StreamParameters>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    take(&api, &caller, Language::Vercel, parameters, &headers, body).await
}

pub(crate) async fn langgraph(
    State(api): State<Api>,
    caller: Caller,
    Filters(parameters): Filters<StreamParameters>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let language = Language::LangGraph;
    take(&api, &caller, language, parameters, &headers, body).await
}

/// Takes a body of this language, if its sender may publish.
async fn take(
    api: &Api,
    caller: &Caller,
    language: Language,
    parameters: StreamParameters,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    api.metrics.usage.count("publish");
    let may = caller.must(
        Role::may_publish,
        "publishing takes a token with the role producer or admin",
    );
    let said = may.and_then(|()| Ok((parameters.number()?, parameters.context()?)));
    let (number, context) = match said {
        Ok(said) => said,
        Err(refusal) => {
            api.metrics.refused("http", &refusal);
            return refusal.into_response();
        }
    };
    let body = match unpacked(api, &api.body, headers, body).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let is_json = says_json(headers) || media_type(headers).is_empty();
    let receipt = match is_json {
        true => take_json(api, caller, language, (context, number), body).await,
        false => take_stream(api, caller, language, (context, number), body).await,
    };
    match receipt {
        Ok(receipt) => answer(&receipt),
        Err(refusal) => {
            api.metrics.refused("http", &refusal);
            refusal.into_response()
        }
    }
}

/// Takes a message, or a list of them.
async fn take_json(
    api: &Api,
    caller: &Caller,
    language: Language,
    said: Said,
    body: Body,
) -> Result<Receipt, Error> {
    let body = read_body(caller.address, body, &api.body).await?;
    if body.trim_ascii().is_empty() {
        return Err(empty(language));
    }
    let messages = json_events(api, &body)?;
    let mut session = Session::go_on(api, caller, language, said, messages.first())?;
    let receipt = relay(api, caller, &mut session, messages).await?;
    session.close();
    Ok(receipt)
}

/// Takes a stream as it comes.
async fn take_stream(
    api: &Api,
    caller: &Caller,
    language: Language,
    said: Said,
    body: Body,
) -> Result<Receipt, Error> {
    let max = api.intake.limits().max_event;
    let is_whole = said.0.thread.is_none();
    let mut said = Some(said);
    let mut session: Option<Session<'_>> = None;
    let mut messages = Messages::new(max, too_large(max));
    let mut upload = Upload::new(api, caller);
    let mut stream = Steady::new(body, api.body.clone());
    loop {
        let is_end = match upload.beside(stream.next(None)).await? {
            Err(broken) => {
                // The messages that came are kept, whatever became of the rest.
                upload.end().await?;
                return Err(broken);
            }
            Ok(NextPart::Part(chunk)) => {
                messages.feed(&chunk);
                false
            }
            Ok(NextPart::Pause) => continue,
            Ok(NextPart::End) => true,
        };
        while let Some((number, message)) = messages.next(is_end) {
            if let Some(said) = said.take() {
                let first = match &message {
                    Raw::Text(text) => Some(text),
                    _ => None,
                };
                session = Some(Session::go_on(api, caller, language, said, first)?);
            }
            let Some(session) = &mut session else {
                continue;
            };
            let events = match message {
                Raw::Text(text) => session.read(&text, number),
                refused => session.refuse(refused),
            };
            upload.line(events).await?;
        }
        if is_end {
            break;
        }
    }
    let Some(mut session) = session else {
        return Err(empty(language));
    };
    if is_whole {
        upload.more(session.end()).await?;
    }
    let receipt = upload.end().await?;
    session.close();
    Ok(receipt)
}

fn empty(language: Language) -> Error {
    Error::bad_request(format!(
        "the body has no message: send the events of {} as text/event-stream, as application/x-ndjson, or one as application/json",
        language.title()
    ))
}
