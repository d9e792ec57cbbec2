//! Why the server ends a connection.

/// Why a lane was killed. The names are the `reason` labels of the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kill {
    /// It went on asking for more while twice `max_client_buffer` waited for it.
    SlowClient = 1,
    /// It took nothing for `stall_timeout`.
    Stalled,
    /// The server goes down.
    Shutdown,
    /// Its token is over.
    Expired,
    /// Its token was revoked.
    Revoked,
    /// It is kept out.
    Banned,
    /// An admin closed it.
    Disconnected,
}

impl Kill {
    const ALL: [Self; 7] = [
        Self::SlowClient,
        Self::Stalled,
        Self::Shutdown,
        Self::Expired,
        Self::Revoked,
        Self::Banned,
        Self::Disconnected,
    ];

    /// The one with this number, as an atomic holds it.
    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kill| *kill as u8 == number)
    }

    /// The label.
    pub fn reason(self) -> &'static str {
        match self {
            Self::SlowClient => "slow_client",
            Self::Stalled => "stalled",
            Self::Shutdown => "shutdown",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Banned => "banned",
            Self::Disconnected => "disconnected",
        }
    }
}
