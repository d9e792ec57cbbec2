//! LangGraph's streaming protocol (`version="v3"`), as it goes over the wire and as it comes within a process: there `messages`
//! are lists with their metadata, and nothing says that the root graph is over.

use serde_json::{Value, json};

use super::{
    nodes::{node, top},
    state::LangGraph,
    things::{Run, RunState, Said},
};
use crate::{
    error::Error,
    event::Object,
    translate::{
        fields::{as_type, field, id_if_any, text, without, words},
        numbering::hash,
        output::{By, Output},
    },
};

impl LangGraph {
    pub(super) fn read_protocol(
        &mut self,
        message: Object,
        out: &mut Output<'_>,
    ) -> Result<(), Error> {
        let params = field(&message, "params").and_then(Value::as_object);
        let params = params
            .ok_or_else(|| without(&message, "params", "object"))?
            .clone();
        let namespace = params.get("namespace").and_then(Value::as_array);
        let names = namespace.into_iter().flatten().filter_map(Value::as_str);
        let said = Said {
            namespace: names.collect::<Vec<_>>().join("|"),
            data: params.get("data").unwrap_or(&Value::Null),
        };
        id_if_any(&message, "event_id")?;
        out.at(params.get("timestamp"));
        let run = self.go_on(&message, &params, out);
        let method = text(&message, "method").unwrap_or_default();
        match method {
            "lifecycle" => self.lifecycle(&run, &said, out),
            "messages" => self.message(&run, &said, out),
            "tools" => self.tool(&run, &said, out),
            "tasks" if said.namespace.is_empty() => self.task(&run, said.data, out),
            "values" if said.namespace.is_empty() => self.values(&run, &params, out),
            "input.requested" => self.requested(&run, &said, out),
            name if name == "custom" || name.starts_with("custom:") => {
                let own = said.data.get("name").and_then(Value::as_str);
                let name = own.or(name.strip_prefix("custom:")).unwrap_or("event");
                let value = said.data.get("payload").unwrap_or(said.data);
                let custom = json!({ "name": name, "value": value });
                let by = self.by_namespace(&run, &said.namespace);
                out.tell_of(&by, &format!("custom.{}", as_type(name)), custom);
            }
            _ => {}
        }
        // A message that says nothing of its own is in the history all the same.
        let is_beside = matches!(method, "values" | "updates" | "checkpoints");
        if out.is_empty() || is_beside {
            let method = method.to_owned();
            out.keep(&method, message, Some(&run));
        }
        Ok(())
    }

    /// The run that the message is of, begun or gone on with if need be.
    fn go_on(&mut self, message: &Object, params: &Object, out: &mut Output<'_>) -> String {
        let own = text(message, "event_id").map(str::to_owned);
        let seq = message.get("seq").and_then(Value::as_u64).unwrap_or(0);
        let begins_again = |run: &Run| own.is_none() && seq > 0 && seq <= run.seq;
        let known = self.run.as_ref();
        let is_new = known.is_none_or(|run| !run.is_open() || begins_again(run));
        if is_new {
            let time = params
                .get("timestamp")
                .map(Value::to_string)
                .unwrap_or_default();
            let first = format!("{}:{seq}:{time}", own.as_deref().unwrap_or_default());
            self.begin_run(&first, out);
        }
        if let Some(run) = &mut self.run {
            run.seq = run.seq.max(seq);
        }
        if let Some(own) = own {
            out.named(&own);
        } else if seq > 0 {
            out.named(&format!("s{seq}"));
        }
        let id = self
            .run
            .as_ref()
            .map_or_else(String::new, |run| run.id.clone());
        if is_new {
            let went_on = self.run.as_ref().is_some_and(|run| run.went_on);
            let kind = match went_on {
                true => "workflow.run.resumed",
                false => "workflow.run.started",
            };
            let thread = out.context.thread.as_deref();
            let name = out.context.agent.as_deref().or(thread).unwrap_or("graph");
            out.tell(
                kind,
                json!({ "run_id": id, "name": name, "session_id": thread }),
            );
        }
        id
    }

    /// Begins a run, or goes on with one that waits. Its id follows from its first message, so a repetition has the same.
    fn begin_run(&mut self, first: &str, out: &mut Output<'_>) {
        let thread = out.context.thread.as_deref().unwrap_or_default();
        let named = out.context.run.as_deref().map(str::to_owned);
        let made = || format!("run-{:016x}", hash(&[thread, first]));
        let waits = |run: &Run| run.state == RunState::Paused && run.first != first;
        let before = self.run.take().filter(waits);
        let went_on = before.is_some();
        let id = match before {
            Some(before) => before.id,
            None => named.unwrap_or_else(made),
        };
        if !went_on {
            for place in self.tasks_of(&id) {
                self.tasks.remove(&place);
            }
        }
        out.begin(first);
        self.run = Some(Run {
            id,
            first: first.to_owned(),
            went_on,
            seq: 0,
            state: RunState::Going,
            says_end: false,
        });
    }

    /// The agent of a namespace; it goes to work if it has not.
    pub(super) fn by_namespace(&self, run: &str, namespace: &str) -> By {
        By {
            run: Some(run.to_owned()),
            ..self.by_place(top(namespace))
        }
    }

    pub(super) fn at_work(
        &mut self,
        run: &str,
        place: &str,
        agent: Option<&str>,
        out: &mut Output<'_>,
    ) {
        let place = top(place);
        if !place.is_empty()
            && !node(place).starts_with("__")
            && self
                .tasks
                .get(place)
                .is_none_or(|task| !task.questions.is_empty())
        {
            let agent = agent.unwrap_or(node(place)).to_owned();
            self.begin_task(place, &agent, run, None, out);
        }
    }

    fn lifecycle(&mut self, run: &str, said: &Said<'_>, out: &mut Output<'_>) {
        let data = said.data;
        let what = data
            .get("event")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let error = data.get("error").and_then(words);
        let inner = data.get("namespace").and_then(Value::as_array);
        let place = match inner {
            Some(names) => {
                let names = names.iter().filter_map(Value::as_str);
                names.collect::<Vec<_>>().join("|")
            }
            None => said.namespace.clone(),
        };
        if place.is_empty() {
            self.root_says(run, what, error, out);
        } else if !place.contains('|') {
            match what {
                "started" | "running" => self.at_work(run, &place, None, out),
                "completed" => self.end_task(&place, None, out),
                "failed" => {
                    self.end_task(&place, Some(error.as_deref().unwrap_or("failed")), out);
                }
                "interrupted" if self.tasks.get(&place).is_some() => {
                    let blocked = json!({ "blocker": "waits for an answer" });
                    out.tell_of(&self.by_place(&place), "task.blocked", blocked);
                }
                _ => {}
            }
        }
    }

    /// The root graph says how it is.
    fn root_says(&mut self, run: &str, what: &str, error: Option<String>, out: &mut Output<'_>) {
        let state = match what {
            "completed" | "failed" => RunState::Over,
            "interrupted" => RunState::Paused,
            _ => RunState::Going,
        };
        if let Some(known) = &mut self.run {
            known.says_end = true;
            if state == RunState::Going || known.state == state {
                return;
            }
            known.state = state;
        }
        match what {
            "failed" => {
                let error = error.unwrap_or_else(|| "failed".to_owned());
                out.tell(
                    "workflow.run.failed",
                    json!({ "run_id": run, "error": error }),
                );
            }
            "interrupted" => out.tell("workflow.run.paused", json!({ "run_id": run })),
            _ => self.complete(run, out),
        }
    }

    fn complete(&mut self, run: &str, out: &mut Output<'_>) {
        for place in self.tasks_of(run) {
            self.end_task(&place, None, out);
        }
        out.tell("workflow.run.completed", json!({ "run_id": run }));
    }

    /// A task of the root graph begins or is over.
    fn task(&mut self, run: &str, data: &Value, out: &mut Output<'_>) {
        let text = |key: &str| data.get(key).and_then(Value::as_str);
        let (Some(own), Some(name)) = (text("id"), text("name")) else {
            return;
        };
        let place = format!("{name}:{own}");
        let is_over = ["result", "error"]
            .iter()
            .any(|key| data.get(*key).is_some());
        if !is_over {
            self.at_work(run, &place, None, out);
            return;
        }
        let asked = data.get("interrupts").and_then(Value::as_array);
        if asked.is_none_or(Vec::is_empty) {
            let error = data.get("error").and_then(words);
            self.end_task(&place, error.as_deref(), out);
        }
    }

    /// The root graph has new values: its nodes that ran are over, or wait.
    fn values(&mut self, run: &str, params: &Object, out: &mut Output<'_>) {
        let asked = params.get("interrupts").and_then(Value::as_array);
        match asked.filter(|asked| !asked.is_empty()) {
            Some(asked) => {
                self.interrupt(run, asked, out);
                if let Some(known) = &mut self.run {
                    known.state = RunState::Paused;
                }
                out.tell("workflow.run.paused", json!({ "run_id": run }));
            }
            None => {
                for place in self.tasks_of(run) {
                    self.end_task(&place, None, out);
                }
            }
        }
    }

    fn requested(&mut self, run: &str, said: &Said<'_>, out: &mut Output<'_>) {
        let text = said.data.get("interrupt_id").and_then(Value::as_str);
        let payload = said.data.get("payload").unwrap_or(&Value::Null);
        let question = words(payload).unwrap_or_else(|| payload.to_string());
        let place = top(&said.namespace).to_owned();
        let by = self.by_namespace(run, &said.namespace);
        let requested =
            json!({ "request_id": text, "kind": "input_required", "message": question });
        out.tell_of(&by, "input.requested", requested);
        if let (Some(task), Some(id)) = (self.tasks.get_mut(&place), text) {
            task.questions.push(id.to_owned());
        }
    }

    /// The stream is over, and with it a root graph that says nothing of its end.
    pub(super) fn end_of_protocol(&mut self, out: &mut Output<'_>) {
        let run = match &mut self.run {
            Some(run) if run.is_open() && !run.says_end => {
                run.state = RunState::Over;
                run.id.clone()
            }
            _ => return,
        };
        out.named("end");
        self.complete(&run, out);
    }
}
