//! The projects that the team goes through, one after the other and then again: names, tasks, decisions, blockers.

use super::cast::Craft::{self, Backend, Data, Design, Frontend, Operations, Quality};

/// A project as it is planned.
#[derive(Debug)]
pub(super) struct Plan {
    /// The name for people.
    pub(super) name: &'static str,
    /// The id in events.
    pub(super) id: &'static str,
    /// The id of its workflow.
    pub(super) slug: &'static str,
    /// The tasks; each depends on earlier ones only.
    pub(super) tasks: &'static [TaskPlan],
    /// The decisions: what, why, and what follows from it.
    pub(super) decisions: &'static [[&'static str; 3]],
    /// The blockers: the blocker, a suggestion, and its solution.
    pub(super) blockers: &'static [[&'static str; 3]],
}

/// A task as it is planned.
#[derive(Debug)]
pub(super) struct TaskPlan {
    /// The name for people.
    pub(super) name: &'static str,
    /// The skill of the agents that take it first.
    pub(super) craft: Craft,
    /// Indexes of the tasks that must be done before.
    pub(super) after: &'static [usize],
}

const fn task(name: &'static str, craft: Craft, after: &'static [usize]) -> TaskPlan {
    TaskPlan { name, craft, after }
}

/// In the order in which they are worked on.
pub(super) static PLANS: [Plan; 4] = [CHECKOUT, PIPELINE, MOBILE, PORTAL];

const CHECKOUT: Plan = Plan {
    name: "Checkout Service",
    id: "checkout-service",
    slug: "checkout",
    tasks: &[
        task("Design the cart model", Backend, &[]),
        task("Draw the checkout flow", Design, &[]),
        task("Set up the repository", Operations, &[]),
        task("Write the acceptance plan", Quality, &[]),
        task("Create the order tables", Data, &[0]),
        task("Build the cart endpoints", Backend, &[0, 2]),
        task("Build the cart page", Frontend, &[1]),
        task("Connect the payment provider", Backend, &[5]),
        task("Build the payment form", Frontend, &[1, 6]),
        task("Keep stock in step with orders", Data, &[4, 5]),
        task("Test payments end to end", Quality, &[3, 7, 8]),
        task("Send the order confirmation", Backend, &[7]),
        task("Watch orders on a dashboard", Operations, &[2, 9]),
        task("Load test the checkout", Quality, &[10, 9]),
    ],
    decisions: &[
        [
            "Keep money as whole cents",
            "Fractions drifted apart in the reports",
            "Interfaces speak of minor units",
        ],
        [
            "Charge only after stock is reserved",
            "A refund costs more than a short wait",
            "Reservations end after ten minutes",
        ],
        [
            "Make every payment call repeatable",
            "A lost answer must not charge twice",
            "Each order carries its own key",
        ],
        [
            "Checkout works without an account",
            "Half of the visitors leave at the sign-in",
            "Orders are found by mail and number",
        ],
        [
            "Send mails from a queue",
            "A slow mail server must not hold an order",
            "Confirmations may come a minute late",
        ],
    ],
    blockers: &[
        [
            "The payment sandbox rejects our key",
            "Ask for a fresh key pair",
            "A new key is in place and answers",
        ],
        [
            "The order table lacks a currency column",
            "Add it with a default",
            "The column was added and filled",
        ],
        [
            "The design has no state for an empty cart",
            "Draw one before building it",
            "The empty cart is drawn",
        ],
    ],
};

const PIPELINE: Plan = Plan {
    name: "Sales Data Pipeline",
    id: "sales-data-pipeline",
    slug: "pipeline",
    tasks: &[
        task("Map the sources", Data, &[]),
        task("Agree on the event schema", Backend, &[]),
        task("Sketch the reports", Design, &[]),
        task("Provision the warehouse", Operations, &[]),
        task("Read orders from the shop", Data, &[0, 1]),
        task("Read visits from the site", Backend, &[1]),
        task("Clean and join the records", Data, &[4, 5]),
        task("Write checks for bad rows", Quality, &[1]),
        task("Schedule the nightly run", Operations, &[3, 4]),
        task("Build the revenue report", Frontend, &[2, 6]),
        task("Build the funnel report", Frontend, &[2, 5]),
        task("Replay a year of history", Data, &[6, 8]),
        task("Compare with the old numbers", Quality, &[7, 11]),
    ],
    decisions: &[
        [
            "Store raw records before cleaning them",
            "We want to be able to begin again",
            "Storage grows, mistakes can be mended",
        ],
        [
            "Times are kept in UTC",
            "Two shops sell across midnight",
            "Reports convert when they are shown",
        ],
        [
            "Bad rows go to a separate table",
            "One bad row must not stop a night",
            "Somebody looks at it every morning",
        ],
        [
            "Load in hourly slices",
            "A whole day takes too long to repeat",
            "A slice can be run again alone",
        ],
    ],
    blockers: &[
        [
            "The shop export stops after ten thousand rows",
            "Ask for it page by page",
            "Pages of a thousand rows work",
        ],
        [
            "No right to read the visits table",
            "Ask the site team for a reader role",
            "The reader role was granted",
        ],
        [
            "Two sources disagree on the order number",
            "Keep both and map them",
            "A mapping table settles it",
        ],
    ],
};

const MOBILE: Plan = Plan {
    name: "Field Service App",
    id: "field-service-app",
    slug: "mobile",
    tasks: &[
        task("Interview three technicians", Design, &[]),
        task("Choose what works offline", Backend, &[]),
        task("Set up the app skeleton", Frontend, &[]),
        task("Set up device builds", Operations, &[]),
        task("Draw the day view", Design, &[0]),
        task("Model visits and parts", Data, &[1]),
        task("Build the sync service", Backend, &[1, 5]),
        task("Build the day view", Frontend, &[2, 4]),
        task("Scan parts with the camera", Frontend, &[2]),
        task("Keep changes made offline", Backend, &[6, 7]),
        task("Test on slow networks", Quality, &[9]),
        task("Test with screen readers", Quality, &[7]),
        task("Sign and publish the beta", Operations, &[3, 10, 11]),
        task("Write the first-day guide", Design, &[7]),
    ],
    decisions: &[
        [
            "The phone's copy wins for notes",
            "Who stands before the machine knows best",
            "The office sees both versions",
        ],
        [
            "Large buttons, one task per screen",
            "Technicians wear gloves",
            "Settings move to a second level",
        ],
        [
            "Sync in small batches",
            "Cellars have little reception",
            "A batch can be repeated safely",
        ],
        [
            "Photos are shrunk on the phone",
            "Uploads took most of the battery",
            "Originals stay for a week",
        ],
    ],
    blockers: &[
        [
            "The signing certificate has expired",
            "Ask for a new one and write down its date",
            "The new certificate is installed",
        ],
        [
            "The camera library fails on older phones",
            "Fall back to typing the number",
            "Typing works where scanning does not",
        ],
        [
            "Test devices are not in the office",
            "Borrow two from support",
            "Two devices arrived",
        ],
    ],
};

const PORTAL: Plan = Plan {
    name: "Documentation Portal",
    id: "documentation-portal",
    slug: "portal",
    tasks: &[
        task("Collect the existing pages", Operations, &[]),
        task("Plan the table of contents", Design, &[]),
        task("Choose the search engine", Backend, &[]),
        task("Find the most asked questions", Data, &[]),
        task("Build the page layout", Frontend, &[1]),
        task("Import the old pages", Data, &[0, 1]),
        task("Index pages for search", Backend, &[2, 5]),
        task("Build the search box", Frontend, &[4, 6]),
        task("Write the quick start", Design, &[1, 3]),
        task("Check examples on every build", Quality, &[5]),
        task("Check links on every build", Quality, &[5]),
        task("Publish previews of changes", Operations, &[4, 9]),
        task("Redirect the old addresses", Operations, &[5, 10]),
    ],
    decisions: &[
        [
            "Every example is run as a test",
            "Wrong examples cost the most trust",
            "Builds take two minutes longer",
        ],
        [
            "Old addresses keep working",
            "Many links to us are in print",
            "Redirects are part of the build",
        ],
        [
            "Search runs in the browser",
            "The index is small enough",
            "No server to look after",
        ],
        [
            "One page answers one question",
            "Readers come from a search, not from the start",
            "Long pages are split",
        ],
    ],
    blockers: &[
        [
            "Some old pages have no author",
            "Ask the teams named on them",
            "Every page has an owner now",
        ],
        [
            "Search finds nothing with umlauts",
            "Fold letters before indexing",
            "Folded letters are found",
        ],
        [
            "The preview host is full",
            "Remove previews after a week",
            "Old previews are gone",
        ],
    ],
};
