//! The team of the demo, and the sentences of its agents.

/// The skill that a task needs, and an agent's best one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Craft {
    /// Models, services, interfaces between them.
    Backend,
    /// The parts that users see and touch.
    Frontend,
    /// Flows, drafts, looks.
    Design,
    /// Schemas, moves and checks of data.
    Data,
    /// Tests and measurements.
    Quality,
    /// Builds, environments, releases and the texts about them.
    Operations,
}

/// An agent of the team.
#[derive(Debug)]
pub(super) struct Member {
    /// Names the agent in every event.
    pub(super) id: &'static str,
    /// The name for people.
    pub(super) name: &'static str,
    /// Stands under the name.
    pub(super) role: &'static str,
    /// Decides which tasks it takes first.
    pub(super) craft: Craft,
    /// Said at registration.
    pub(super) skills: &'static [&'static str],
}

/// The team.
pub(super) const CAST: [Member; 6] = [
    Member {
        id: "agent_ada",
        name: "Ada",
        role: "Backend Developer",
        craft: Craft::Backend,
        skills: &["rust", "postgresql", "api design"],
    },
    Member {
        id: "agent_boris",
        name: "Boris",
        role: "Frontend Developer",
        craft: Craft::Frontend,
        skills: &["typescript", "vue", "accessibility"],
    },
    Member {
        id: "agent_chen",
        name: "Chen",
        role: "Data Engineer",
        craft: Craft::Data,
        skills: &["sql", "python", "streaming"],
    },
    Member {
        id: "agent_dana",
        name: "Dana",
        role: "Designer",
        craft: Craft::Design,
        skills: &["user flows", "prototyping", "writing"],
    },
    Member {
        id: "agent_emil",
        name: "Emil",
        role: "Test Engineer",
        craft: Craft::Quality,
        skills: &["testing", "load tests", "security"],
    },
    Member {
        id: "agent_farah",
        name: "Farah",
        role: "Release Engineer",
        craft: Craft::Operations,
        skills: &["containers", "monitoring", "docs"],
    },
];

/// Sentences at the beginning of a task; `{}` is the task.
pub(super) const OPENINGS: [&str; 8] = [
    "I begin with “{}”. First I read what is already there, then I write the smallest thing that could work.",
    "Looking at “{}” now. Two parts of it are clear, the third one needs a closer look.",
    "“{}” is mine. I split it into three steps and start with the one that could go wrong.",
    "Reading the notes of the earlier tasks before “{}”, so that I don't decide anything twice.",
    "For “{}” I first write down how we will know that it is finished.",
    "Starting on “{}”. I keep the change small, so that it is easy to review.",
    "“{}” touches two other parts. I check their contracts first.",
    "There is an older attempt at “{}”. I take over its tests and leave the rest.",
];

/// Sentences during a task.
pub(super) const FINDINGS: [&str; 10] = [
    "The edge case was hiding in the empty list. It is covered by a test now.",
    "This was simpler than it looked: one function less, and the rest still passes.",
    "I found the same rule written down twice and kept the one that has tests.",
    "The slow part is not ours, it is the third call. I put it behind a short cache.",
    "Names matter here: I renamed two fields so that they say what they hold.",
    "Half of it stands. The rest is careful work, but nothing unknown.",
    "The error message now says what was wrong and what to do about it.",
    "I measured before and after: a third of the time, with the same result.",
    "One assumption did not hold. I noted it, so that nobody builds on it.",
    "Everything passes on my side. I read it once more with fresh eyes.",
];

/// Tools that agents reach for.
pub(super) const TOOLS: [&str; 8] = [
    "read_file",
    "search_code",
    "edit_file",
    "run_tests",
    "query_database",
    "open_browser",
    "web_search",
    "list_issues",
];

/// A model, and its price in millionths of a dollar for a thousand tokens in and out.
#[derive(Debug)]
pub(super) struct Model {
    /// The name in events.
    pub(super) name: &'static str,
    /// Of what it reads.
    pub(super) input: u64,
    /// Of what it writes.
    pub(super) output: u64,
}

/// The models that agents think with.
pub(super) const MODELS: [Model; 2] = [
    Model {
        name: "stoic-large",
        input: 3_000,
        output: 15_000,
    },
    Model {
        name: "stoic-small",
        input: 300,
        output: 1_500,
    },
];

/// Questions to a person, each with two answers; the first is what the team does by itself when nobody answers.
pub(super) const QUESTIONS: [[&str; 3]; 6] = [
    [
        "Two names are left for this part. Which one is it?",
        "The short one",
        "The long one",
    ],
    [
        "The old interface is still called once a day. May it go?",
        "Remove it",
        "Keep it for now",
    ],
    [
        "This needs one library more. May I add it?",
        "Add it",
        "Do without",
    ],
    [
        "It works, but it is not fast yet. Ship it or measure first?",
        "Ship it",
        "Measure first",
    ],
    [
        "The test data has real addresses in it. What shall I use?",
        "Invented ones",
        "None at all",
    ],
    [
        "I can finish today with less, or tomorrow with all of it.",
        "Today with less",
        "Tomorrow with all",
    ],
];

/// Sentences of progress reports, from the first steps to the last.
pub(super) const STAGES: [&str; 5] = [
    "Groundwork is laid",
    "The main path works",
    "Edge cases are handled",
    "Tests are green",
    "Ready for review",
];

/// A sentence in the pieces in which it is streamed: one to three words each, with their spaces.
pub(super) fn pieces(sentence: &str, mut words_each: impl FnMut() -> u64) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let mut left = words_each();
    for word in sentence.split_inclusive(' ') {
        piece.push_str(word);
        left = left.saturating_sub(1);
        if left == 0 {
            pieces.push(std::mem::take(&mut piece));
            left = words_each();
        }
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}
