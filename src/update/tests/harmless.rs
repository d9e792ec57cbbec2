//! Texts that went through here, in an HTML parser, put into HTML in the ways that pages do it.

use html5ever::{ParseOpts, QualName, local_name, ns, parse_fragment, tendril::TendrilSink};
use markup5ever_rcdom::{Handle, NodeData, RcDom};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{super::harmless::harmless, of, plan};
use crate::{
    config::RuleConfig,
    update::{Rule, Table, TransformOptions},
};

/// The usual attacks on pages.
const VECTORS: [&str; 34] = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example/x.js></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    "<img/src=x/onerror=alert(1)//",
    "<svg/onload=alert(1)>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<iframe src=\"javascript:alert(1)\"></iframe>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<a href=\"jav\tascript:alert(1)\">x</a>",
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<?xml version=\"1.0\"?><x onclick=alert(1)>",
    "</pre><script>alert(1)</script>",
    "</div></div><script>alert(1)</script>",
    "<<script>alert(1)//<</script>",
    "<\u{0}script>alert(1)</script>",
    "<script\n>alert(1)</script\n>",
    "<x contenteditable onblur=alert(1)>lose focus",
    "<style>@import'//evil.example'</style>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<form action=javascript:alert(1)><button>x",
    "\"><img src=x onerror=alert(1)>",
    "'><svg onload=alert(1)>",
    "\" onmouseover=\"alert(1)",
    "' onfocus='alert(1)' autofocus x='",
    "x\" onmouseover = alert(1) y=\"",
    "\" style=\"background:url(//evil.example)\" x=\"",
    "`onmouseover=alert(1)`",
    "&lt;img src=x onerror=alert(1)&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
];

/// The ways in which the known pages build HTML: a text goes in the place of `{}`.
const PAGES: [&str; 7] = [
    "{}",
    "<strong>{}</strong><br>",
    "<div class=\"metric error\">Error: {}</div>",
    "<div class=\"decision-reasoning\">Source: \"{}\"</div>",
    "<pre style=\"font-size: 12px\">{}</pre>",
    "<span>{}{}</span>",
    "<p>{}img src=x onerror=alert(1)></p>",
];
/// No known page writes text into an attribute like this, and a quote does end the attribute; but nothing runs.
const ATTRIBUTES: [&str; 3] = [
    "<b title=\"{}\">x</b>",
    "<b title='{}'>x</b>",
    "<b title=\"{} {}\">x</b>",
];

/// Elements and attributes of a document, and all its text.
#[derive(Debug, Default)]
struct Parsed {
    elements: Vec<String>,
    attributes: Vec<(String, String)>,
    text: String,
}

fn parse(html: &str) -> Parsed {
    let context = QualName::new(None, ns!(html), local_name!("div"));
    let dom = parse_fragment(
        RcDom::default(),
        ParseOpts::default(),
        context,
        Vec::new(),
        true,
    )
    .one(html);
    let mut parsed = Parsed::default();
    walk(&dom.document, &mut parsed);
    parsed
}

fn walk(node: &Handle, parsed: &mut Parsed) {
    match &node.data {
        NodeData::Element { name, attrs, .. } => {
            parsed.elements.push(name.local.to_string());
            for attr in attrs.borrow().iter() {
                parsed
                    .attributes
                    .push((attr.name.local.to_string(), attr.value.to_string()));
            }
        }
        NodeData::Text { contents } => parsed.text.push_str(&contents.borrow()),
        NodeData::Comment { .. }
        | NodeData::Doctype { .. }
        | NodeData::ProcessingInstruction { .. } => {
            parsed.elements.push("a comment or the like".to_owned());
        }
        NodeData::Document => {}
    }
    for child in node.children.borrow().iter() {
        walk(child, parsed);
    }
}

/// The text as a page gets it.
fn made_harmless(text: &str) -> String {
    let json = harmless(json!({ "text": text }).to_string());
    let value: Value = serde_json::from_str(&json).expect("still JSON");
    value["text"].as_str().expect("still text").to_owned()
}

/// Whether a browser could run or load something because of this attribute.
fn acts((name, value): &(String, String)) -> bool {
    let known = [
        "action",
        "background",
        "formaction",
        "href",
        "poster",
        "src",
        "srcdoc",
        "srcset",
        "style",
        "xlink:href",
    ];
    let runs = name.starts_with("on") && name.bytes().all(|b| b.is_ascii_alphabetic());
    !value.is_empty() && (runs || known.contains(&name.as_str()))
}

/// Builds every page of `text` and looks for nodes that aren't the page's own. `Err` names what was found.
fn look(text: &str) -> Result<(), String> {
    for page in PAGES.into_iter().chain(ATTRIBUTES) {
        let own = parse(&page.replace("{}", "x"));
        let built = parse(&page.replace("{}", text));
        let same_elements = built.elements == own.elements;
        let fine = if ATTRIBUTES.contains(&page) {
            let is_own = |element| own.elements.contains(element);
            built.elements.iter().all(is_own) && !built.attributes.iter().any(acts)
        } else {
            same_elements && built.attributes == own.attributes
        };
        if !fine {
            return Err(format!("{page} with {text:?} becomes {built:?}"));
        }
    }
    Ok(())
}

#[test]
fn no_known_vector_becomes_more_than_text() {
    for vector in VECTORS {
        look(&made_harmless(vector)).expect("only text");
    }
    // The test itself works: without the joiners all but five, which are for pages of other kinds, are more than text.
    let others = VECTORS.iter().filter(|vector| look(vector).is_ok());
    assert_eq!(others.count(), 5);
}

#[test]
fn people_read_the_same() {
    for vector in VECTORS {
        assert_eq!(made_harmless(vector).replace('\u{2060}', ""), vector);
        let twice = made_harmless(&made_harmless(vector));
        assert_eq!(twice, made_harmless(vector));
    }
    // In the page, too, a text that looks like a reference is not read as one.
    let shown = parse(&made_harmless("a &lt;b&gt; &amp;c &copy; &#x26; &quot")).text;
    assert_eq!(
        shown.replace('\u{2060}', ""),
        "a &lt;b&gt; &amp;c &copy; &#x26; &quot"
    );
}

#[test]
fn a_reference_without_semicolon_is_none_whatever_comes_behind_it() {
    for behind in ["", "#", " ", "x", "=", "&", "#;", ";", "\u{0}"] {
        for name in ["lt", "GT", "quot", "amp"] {
            let text = format!("&{name}{behind}");
            let shown = parse(&made_harmless(&text)).text.replace('\u{2060}', "");
            assert_eq!(shown, text.replace('\u{0}', ""));
        }
    }
}

#[test]
fn ordinary_text_is_not_touched() {
    for text in [
        "a < b and b <= c, 3<4, <3, <-",
        "R&D & more; Q&A session",
        "let x = 5; y=\"z\"; RUST_LOG=debug cargo run --jobs=2",
        "https://example.com/?a=1&b=2&page=3#on=1",
        "that is = once? The data: 5 rows, an import: done",
        "JSON: {\"status\":\"done\",\"n\":[1,2]}",
        "TypeScript is fine, JavaScript too",
        "<3 ünïcödé → ok",
    ] {
        assert_eq!(made_harmless(text), text);
    }
    let json = json!({ "a": ["plain", { "b": 1 }] }).to_string();
    let (at, same) = (json.as_ptr(), harmless(json));
    assert_eq!(same.as_ptr(), at, "nothing is copied");
}

#[test]
fn addresses_that_run_something_are_none_any_more() {
    for address in [
        "javascript:alert(1)",
        " JavaScript:alert(1)",
        "java\tscript:alert(1)",
        "java\nscript\r\n:alert(1)",
        "vbscript:msgbox(1)",
        "javascript\t:alert(1)",
    ] {
        let text = made_harmless(address);
        let (scheme, _) = text.split_once(':').expect("a colon");
        assert!(scheme.ends_with('\u{2060}'), "{text:?}");
    }
    let html = "<a href='{}'>x</a>";
    let parsed = parse(&html.replace("{}", &made_harmless("javascript&colon;alert(1)")));
    assert_eq!(
        parsed.attributes[0].1.replace('\u{2060}', ""),
        "javascript&colon;alert(1)"
    );
}

#[test]
fn a_message_that_comes_in_pieces_is_harmless_when_joined() {
    for vector in VECTORS {
        for at in (0..=vector.len()).filter(|at| vector.is_char_boundary(*at)) {
            let (first, second) = vector.split_at(at);
            let joined = made_harmless(first) + &made_harmless(second);
            look(&joined).expect("only text");
        }
    }
}

/// Every text of an update, keys too.
fn texts(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
        Value::Object(fields) => {
            for (key, value) in fields {
                into.push(key.clone());
                texts(value, into);
            }
        }
        _ => {}
    }
}

#[test]
fn every_field_of_every_update_is_harmless_and_the_event_stays_as_it_was() {
    let rule = RuleConfig {
        matches: "flow.*".into(),
        emit: "pipeline_event".into(),
        fields: [("label".to_owned(), "{data.x} {metadata.y}".to_owned())].into(),
        ..RuleConfig::default()
    };
    let table = Table::new(TransformOptions {
        rules: vec![Rule::compile(&rule).expect("a rule")],
        ..TransformOptions::default()
    });
    let evil = "<img src=x onerror=alert(1)>";
    for name in [
        "agent.status.changed",
        "agent.registered",
        "project.updated",
        "task.assigned",
        "task.progress",
        "task.completed",
        "decision.logged",
        "system.health.changed",
        "kanban.error",
        "workflow.run.updated",
        "workflow.node.failed",
        "ingest.job.failed",
        "agent.run.failed",
        "agent.message.appended",
        "flow.changed",
        "something.else",
    ] {
        let event = of(
            name,
            json!({
                "agent_id": evil, "task_id": evil, "project_id": evil, "run_id": evil, "job_id": evil, "node_id": evil,
                "message_id": evil, "message": evil, "decision": evil, "rationale": evil, "content": evil, "x": evil,
                "status": evil, "new_status": evil, "errorMessage": evil, evil: { evil: [evil] },
            }),
        );
        let before = event.clone();
        let mut seen = 0;
        for (_, raw) in plan(&table, &event) {
            let update = serde_json::from_str(&harmless(raw.to_string())).expect("JSON");
            let mut found = Vec::new();
            texts(&update, &mut found);
            for text in &found {
                look(text).expect("only text");
            }
            seen += found
                .iter()
                .filter(|text| text.contains('\u{2060}'))
                .count();
            assert_eq!(update.to_string().replace('\u{2060}', ""), raw.to_string());
        }
        assert!(seen > 0, "{name}");
        assert_eq!(event, before);
    }
}

/// Text that is likely to have a meaning in HTML.
fn markup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "<",
        ">",
        "/",
        "!",
        "?",
        "\"",
        "'",
        "`",
        "=",
        " ",
        "\n",
        "\t",
        "\u{c}",
        "\u{0}",
        "&",
        "#",
        ";",
        ":",
        "-",
        "--",
        "img",
        "script",
        "svg",
        "a",
        "x",
        "on",
        "error",
        "click",
        "onload",
        "href",
        "src",
        "style",
        "javascript",
        "lt",
        "quot",
        "60",
        "\\",
        "\\n",
        "é",
        "\u{2060}",
        "alert(1)",
        "[CDATA[",
        "title",
        "textarea",
    ]);
    prop_oneof![
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat()),
        any::<String>(),
    ]
}

proptest! {
    #[test]
    fn no_text_becomes_more_than_text(text in markup()) {
        let text = made_harmless(&text);
        prop_assert_eq!(look(&text), Ok(()));
    }

    #[test]
    fn nothing_but_joiners_is_added(text in markup()) {
        let made = made_harmless(&text);
        prop_assert_eq!(made.replace('\u{2060}', ""), text.replace('\u{2060}', ""));
        prop_assert_eq!(made_harmless(&made), made);
    }

    #[test]
    fn pieces_joined_are_harmless(pieces in prop::collection::vec(markup(), 1..5)) {
        let joined: String = pieces.iter().map(|piece| made_harmless(piece)).collect();
        prop_assert_eq!(look(&joined), Ok(()));
    }
}
