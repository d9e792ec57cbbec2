//! The kind of sender that a request comes from, as far as browsers say it.

/// The web page behind a request, if there is one. Browsers say so truly; a program can say anything, so this protects
/// people from pages and proves nothing about programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PageOrigin {
    /// The request names no page: a program sent it.
    NoPage,
    /// The server's own page.
    Own,
    /// A page of another origin that may connect. This is assumed where nothing is known.
    #[default]
    Other,
}
