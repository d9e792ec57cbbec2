//! Opens the port.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use super::ServeError;
use crate::config::Config;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4_096;

/// A listener on the configured host, and its actual address (with port 0 the system chooses). `key` is the key of the
/// port, for a refusal.
pub(super) async fn listen(
    config: &Config,
    port: u16,
    key: &str,
) -> Result<(TcpListener, SocketAddr), ServeError> {
    let address = (config.server.host.as_str(), port);
    let listening = async {
        let mut failed = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
        for address in tokio::net::lookup_host(address).await? {
            match listen_on(address) {
                Ok(listener) => {
                    let address = listener.local_addr()?;
                    return Ok((listener, address));
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    };
    listening
        .await
        .map_err(|error| listen_error(&config.server.host, port, key, &error))
}

/// Looks up the configured host, if it is a name. A name without an address must not count as an address that others
/// can reach.
///
/// # Errors
/// The name has no address.
pub(super) fn resolve(config: &Config) -> Result<(), ServeError> {
    let (host, port) = (config.server.host.as_str(), config.server.port);
    if host == "localhost" || host.parse::<std::net::IpAddr>().is_ok() {
        return Ok(());
    }
    let found = std::net::ToSocketAddrs::to_socket_addrs(&(host, port));
    match found.map(|mut addresses| addresses.next()) {
        Ok(Some(_)) => Ok(()),
        _ => Err(ServeError::Listen {
            address: format!("{host}:{port}"),
            reason: format!(
                "no address is known for the name {host:?}; see --host or [server] host"
            ),
        }),
    }
}

/// A listener with room for all clients that come back at once after a restart: beyond it they would retry for seconds.
fn listen_on(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn listen_error(host: &str, port: u16, key: &str, error: &std::io::Error) -> ServeError {
    let reason = match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!("the port is in use; stop what listens there, or choose another with {key}")
        }
        std::io::ErrorKind::PermissionDenied => {
            format!("no permission; ports below 1024 need privileges, choose another with {key}")
        }
        std::io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address; see [server] host".into()
        }
        _ => error.to_string(),
    };
    ServeError::Listen {
        address: format!("{host}:{port}"),
        reason,
    }
}
