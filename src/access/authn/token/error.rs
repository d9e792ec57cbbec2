//! The reasons why a token is refused: one sentence and one short word for each, neither of which quotes the token.

use crate::error::Error;

/// The reason why a token is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The server has no key to verify tokens with.
    #[error(
        "this server has no key to verify tokens with; set one of [authentication] secret, secret_file, public_key_file, jwks_url, api_keys"
    )]
    NoKeys,
    /// An empty string.
    #[error("the token is empty; send a JWT or an API key")]
    Empty,
    /// The token is too long and was not read.
    #[error("the token has more than {max} bytes ([authentication] max_token_size)")]
    TooLong {
        /// The most bytes that a token may have.
        max: usize,
    },
    /// The token has not three parts, or they are not base64url, or hold no JSON object.
    #[error(
        "this is no token: a JWT has three parts in base64url, an API key of this server begins with stoa_"
    )]
    Malformed,
    /// The algorithm isn't supported; `none` isn't either.
    #[error(
        "the token's header can't be read, or its alg is not one of HS, RS or PS 256/384/512, ES256, ES384, EdDSA"
    )]
    Header,
    /// The header demands an extension that the server doesn't know.
    #[error("the token's header has crit, and this server knows no such extension")]
    Critical,
    /// No key fits the header's `kid` and `alg`.
    #[error("no key of this server can have signed this token (its kid or alg fits none of them)")]
    UnknownKey,
    /// Some keys fit, and none of them made this signature.
    #[error("the token's signature is not right")]
    Signature,
    /// The signature is right, but a claim is not.
    #[error("the token's {claim} {wrong}")]
    Claim {
        /// The name of the claim.
        claim: &'static str,
        /// The fault, and the right form.
        wrong: &'static str,
    },
    /// `exp` has passed.
    #[error("the token has expired; get a new one")]
    Expired,
    /// `nbf` lies in the future.
    #[error("the token is not valid yet (nbf); if it should be, compare the clocks")]
    NotYet,
    /// `iat` lies in the future: such a token would escape a revocation of all tokens made before now.
    #[error("the token says that it is made later than now (iat); compare the clocks")]
    MadeLater,
    /// The issuer is another one, or absent.
    #[error("the token is not of the issuer that this server believes ([authentication] issuer)")]
    Issuer,
    /// The audience is another one, or absent.
    #[error("the token is not for this server ([authentication] audience)")]
    Audience,
    /// The token has the form of an API key, but no key has this hash.
    #[error("this API key is not known here")]
    ApiKey,
    /// The provider has not published a key to this server yet, so nobody can say whether the token is good.
    #[error(
        "the keys of [authentication] jwks_url could not be read yet, and the token may be good by one of them; try again"
    )]
    NoKeysYet,
}

impl TokenError {
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
            // A client that gets this code fetches a new token.
            Self::Expired => "token_expired",
            // The same token may be valid in a moment: the client must not throw it away.
            Self::NoKeysYet => "unavailable",
            _ => "unauthorized",
        }
    }
}

impl From<TokenError> for Error {
    fn from(denied: TokenError) -> Self {
        Self::new(denied.code(), denied.to_string())
    }
}
