//! The two servers. Each prints its address, and ends with its stdin.

use std::{io::Read, net::SocketAddr, path::Path};

use rcgen::{CertificateParams, KeyPair};
use socketioxide::{SocketIo, extract::SocketRef};
use stoa::config::Config;

/// Stoa as it is configured by default; with a certificate in `folder`, encrypted.
pub(crate) fn stoa(folder: Option<&Path>) {
    serve(async move {
        let mut config = Config::default();
        config.server.port = 0;
        // Connections are measured; the disk has a benchmark of its own.
        config.journal.kind = stoa::config::JournalKind::Memory;
        if let Some(folder) = folder {
            (config.tls.cert_file, config.tls.key_file) = vouched(folder);
        }
        let running = stoa::server::start(&config).await.expect("it starts");
        ready(running.address());
        std::future::pending::<()>().await;
    });
}

/// A server as one writes it with the library alone: every client is in one room.
pub(crate) fn plain() {
    serve(async {
        let (layer, io) = SocketIo::builder().build_layer();
        io.ns("/", async |socket: SocketRef| socket.join("observers"));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("it listens");
        ready(listener.local_addr().expect("an address"));
        let router = axum::Router::new().layer(layer);
        axum::serve(listener, router).await.expect("it serves");
    });
}

/// The certificate of the encrypted server, DER, once it has one.
pub(crate) fn certificate(folder: &str) -> Option<Vec<u8>> {
    std::fs::read(Path::new(folder).join("cert.der")).ok()
}

/// Writes a certificate that vouches for itself, and its key.
fn vouched(folder: &Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    let (cert_file, key_file) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert_file, certificate.pem()).expect("a file");
    std::fs::write(&key_file, key.serialize_pem()).expect("a file");
    std::fs::write(folder.join("cert.der"), certificate.der()).expect("a file");
    (cert_file, key_file)
}

fn serve(server: impl Future<Output = ()>) {
    std::thread::spawn(|| {
        std::io::stdin().read_to_end(&mut Vec::new()).ok();
        std::process::exit(0);
    });
    tokio::runtime::Runtime::new()
        .expect("a runtime")
        .block_on(server);
}

fn ready(address: SocketAddr) {
    println!("{address}");
}
