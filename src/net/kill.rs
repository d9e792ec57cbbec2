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
}

impl Kill {
    /// The label.
    pub fn reason(self) -> &'static str {
        match self {
            Self::SlowClient => "slow_client",
            Self::Stalled => "stalled",
            Self::Shutdown => "shutdown",
        }
    }
}
