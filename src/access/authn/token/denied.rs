//! Why a token is not believed: one sentence and one short reason each, none of which holds anything of the token.

use crate::error::Error;

/// Why a token is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Nothing is configured that could verify one.
    #[error(
        "this server has no key to verify tokens with; set one of [authentication] secret, secret_file, public_key_file, jwks_url, api_keys"
    )]
    NoKeys,
    /// An empty string.
    #[error("the token is empty; send a JWT or an API key")]
    Empty,
    /// Refused unread.
    #[error("the token has more than {max} bytes ([authentication] max_token_size)")]
    TooLong {
        /// What would have been read.
        max: usize,
    },
    /// Not three parts, not base64url, or no JSON object in them.
    #[error(
        "this is no token: a JWT has three parts in base64url, an API key of this server begins with stoa_"
    )]
    Malformed,
    /// `alg: none` is one of these.
    #[error(
        "the token's header can't be read, or its alg is not one of HS, RS or PS 256/384/512, ES256, ES384, EdDSA"
    )]
    Header,
    /// A header that must be understood and is not.
    #[error("the token's header has crit, and this server knows no such extension")]
    Critical,
    /// No key fits what the header says of kid and alg.
    #[error("no key of this server can have signed this token (its kid or alg fits none of them)")]
    UnknownKey,
    /// Keys fit, and none of them made this signature.
    #[error("the token's signature is not right")]
    Signature,
    /// The signature is right, what was signed is not.
    #[error("the token's {claim} {wrong}")]
    Claim {
        /// Its name.
        claim: &'static str,
        /// What is wrong, and what would be right.
        wrong: &'static str,
    },
    /// `exp` is over.
    #[error("the token has expired; get a new one")]
    Expired,
    /// `nbf` is to come.
    #[error("the token is not valid yet (nbf); if it should be, compare the clocks")]
    NotYet,
    /// `iat` is to come: by that it would escape a revocation of all that was made before now.
    #[error("the token says that it is made later than now (iat); compare the clocks")]
    MadeLater,
    /// Another issuer, or none.
    #[error("the token is not of the issuer that this server believes ([authentication] issuer)")]
    Issuer,
    /// For somebody else.
    #[error("the token is not for this server ([authentication] audience)")]
    Audience,
    /// Begins like one of ours.
    #[error("this API key is not known here")]
    ApiKey,
    /// The provider has not published a key to this server yet, so nobody can say whether the token is good.
    #[error(
        "the keys of [authentication] jwks_url could not be read yet, and the token may be good by one of them; try again"
    )]
    NoKeysYet,
}

impl Denied {
    /// One word for counters.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoKeys => "no_keys",
            Self::Empty => "token_empty",
            Self::TooLong { .. } => "token_too_long",
            Self::Malformed => "token_malformed",
            Self::Header => "token_header",
            Self::Critical => "token_crit",
            Self::UnknownKey => "token_unknown_key",
            Self::Signature => "token_signature",
            Self::Claim { .. } => "token_claim",
            Self::Expired => "token_expired",
            Self::NotYet => "token_not_yet",
            Self::MadeLater => "token_made_later",
            Self::Issuer => "token_issuer",
            Self::Audience => "token_audience",
            Self::ApiKey => "api_key",
            Self::NoKeysYet => "jwks_unavailable",
        }
    }

    /// The contract's code.
    pub fn code(&self) -> &'static str {
        match self {
            // A client that is told this fetches a new token; anything else it can't mend.
            Self::Expired => "token_expired",
            // The same token may be good in a moment: it must not be thrown away.
            Self::NoKeysYet => "unavailable",
            _ => "unauthorized",
        }
    }
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        Self::new(denied.code(), denied.to_string())
    }
}
