use super::*;

fn read(text: &str) -> Result<Emission, &'static str> {
    Emission::read(text.as_bytes(), &EmissionLimits::default()).map_err(|error| error.code)
}

#[test]
fn arguments_stay_as_they_are_written() {
    for (args, inside, arguments) in [
        ("[1, 2.0, \"x\"]", "1, 2.0, \"x\"", 3),
        ("[]", "", 0),
        (
            "{\"id\": 1e3, \"type\":\"t\"}",
            "{\"id\": 1e3, \"type\":\"t\"}",
            1,
        ),
        ("null", "null", 1),
        ("12345678901234567890123", "12345678901234567890123", 1),
        ("[[1,\n2]]", "[1, 2]", 1),
        ("\"a\\nb\"", "\"a\\nb\"", 1),
    ] {
        let emission = read(&format!("{{\"event\":\"e\",\"args\":{args}}}")).unwrap();
        assert_eq!(
            (&*emission.args, emission.arguments),
            (inside, arguments),
            "{args}"
        );
    }
    assert_eq!(read("{\"event\":\"e\"}").unwrap().arguments, 0);
}

#[test]
fn rooms_have_three_keys_and_two_forms() {
    for rooms in [
        "\"rooms\":[\"a\"]",
        "\"room\":\"a\"",
        "\"to\":[\"a\"]",
        "\"to\":\"a\"",
    ] {
        let emission = read(&format!("{{\"event\":\"e\",{rooms}}}")).unwrap();
        assert_eq!(emission.rooms, ["a"], "{rooms}");
    }
    for rooms in ["\"rooms\":null", "\"rooms\":[]", "\"except\":\"a\""] {
        let emission = read(&format!("{{\"event\":\"e\",{rooms}}}")).unwrap();
        assert!(emission.rooms.is_empty(), "{rooms}");
    }
    // Of a misspelt key the emission would go to everyone.
    for wrong in [
        "\"roms\":\"a\"",
        "\"rooms\":7",
        "\"room\":\"a\",\"to\":\"b\"",
    ] {
        let refused = read(&format!("{{\"event\":\"e\",{wrong}}}"));
        assert_eq!(refused, Err("bad_request"), "{wrong}");
    }
}

#[test]
fn names_are_any_text_but_those_of_socket_io() {
    for name in ["x", "connect ", "user:typing", "é", "agent_update"] {
        assert_eq!(
            read(&format!("{{\"event\":{name:?}}}")).unwrap().event,
            name
        );
    }
    let long = format!("{{\"event\":\"{}\"}}", "x".repeat(129));
    for wrong in [
        "{}",
        "{\"event\":7}",
        "{\"event\":\"\"}",
        "{\"event\":\"disconnect\"}",
        "{\"event\":\"\\u0000lane\"}",
        "{\"event\":\"a\\nb\"}",
        &long,
    ] {
        assert_eq!(read(wrong), Err("invalid_event"), "{wrong}");
    }
    assert_eq!(
        read("{\"event\":\"e\",\"namespace\":\"/x\"}"),
        Err("unknown_namespace")
    );
}

#[test]
fn attachments_have_placeholders_that_name_them() {
    let with = |args: &str| {
        read(&format!(
            "{{\"event\":\"e\",\"args\":{args},\"attachments\":[\"eA==\"]}}"
        ))
    };
    let emission = with("{\"b\":{\"_placeholder\":true,\"num\":0}}").unwrap();
    assert_eq!(emission.as_one_value(), "{\"b\":{\"base64\":\"eA==\"}}");
    assert_eq!(
        emission.as_object(),
        "{\"type\":\"e\",\"args\":[{\"b\":{\"base64\":\"eA==\"}}]}"
    );
    assert_eq!(
        with("{\"_placeholder\":true,\"num\":1}"),
        Err("bad_request")
    );
    assert_eq!(with("{\"_placeholder\":true}"), Err("bad_request"));
    assert_eq!(
        read("{\"event\":\"e\",\"attachments\":[\"?\"]}"),
        Err("bad_request")
    );
}

#[test]
fn limits_are_kept() {
    let limits = EmissionLimits {
        max_bytes: 100,
        max_depth: 2,
        max_rooms: 2,
        max_attachments: 1,
        max_id: 4,
    };
    let read = |text: &str| Emission::read(text.as_bytes(), &limits).map_err(|error| error.code);
    assert!(
        read(
            "{\"event\":\"e\",\"args\":[[[1]],{\"a\":[]}],\"rooms\":[\"a\",\"b\"],\"id\":\"1234\"}"
        )
        .is_ok()
    );
    let long = format!("{{\"event\":\"e\",\"args\":\"{}\"}}", "x".repeat(100));
    for (text, code) in [
        (&*long, "too_large"),
        ("{\"event\":\"e\",\"args\":[[[[]]]]}", "bad_request"),
        (
            "{\"event\":\"e\",\"rooms\":[\"a\",\"b\"],\"except\":\"c\"}",
            "too_large",
        ),
        ("{\"event\":\"e\",\"attachments\":[\"\",\"\"]}", "too_large"),
        ("{\"event\":\"e\",\"id\":\"12345\"}", "bad_request"),
        ("{\"event\":\"e\",\"id\":\"\"}", "bad_request"),
        ("{\"event\":\"e\",\"room\":\"\"}", "bad_request"),
        ("nothing", "bad_request"),
        ("{\"event\":\"e\"} {}", "bad_request"),
    ] {
        assert_eq!(read(text).map(|_| ()), Err(code), "{text}");
    }
}

#[test]
fn each_attachment_has_one_place() {
    let two = |first: u8, second: u8, attachments: &str| {
        let one = |num| format!("{{\"_placeholder\":true,\"num\":{num}}}");
        let args = format!("[{}, {{\"in\": {}}}]", one(first), one(second));
        read(&format!(
            "{{\"event\":\"e\",\"args\":{args},\"attachments\":{attachments}}}"
        ))
        .map(|emission| emission.attachments.len())
    };
    let both = "[\"eA==\", \"eQ==\"]";
    assert_eq!(two(0, 1, both), Ok(2));
    assert_eq!(two(1, 1, both), Err("bad_request"));
    // Without attachments these are plain objects.
    assert_eq!(two(0, 0, "[]"), Ok(0));
    let text = "{\"event\":\"e\",\"args\":[{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":0}]}";
    let bytes = [bytes::Bytes::from_static(b"x")];
    let refused = Emission::read_with(text.as_bytes(), &bytes, &EmissionLimits::default());
    assert_eq!(refused.unwrap_err().code, "bad_request");
}
