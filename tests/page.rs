//! The demo page over the wire: from inside the program wherever it was started, or from a folder.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::path::Path;

use kit::{not_checked, server, server_with};
use reqwest::{Response, StatusCode, header};

async fn get(url: String, headers: &[(header::HeaderName, &str)]) -> Response {
    let mut request = reqwest::Client::new().get(url);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    request.send().await.unwrap()
}

fn head(response: &Response, name: header::HeaderName) -> String {
    let value = response.headers().get(name);
    value
        .map(|v| v.to_str().unwrap().to_owned())
        .unwrap_or_default()
}

/// The path of the page's script, as its HTML names it.
fn script(html: &str) -> String {
    let from = html.find("src=\"./assets/").expect("the page has a script") + 6;
    html[from..].split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_inside_the_program() {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("web-demo/dist/index.html");
    let server = server().await;
    let url = format!("http://{}", server.address());
    let page = get(format!("{url}/"), &[]).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(head(&page, header::CONTENT_TYPE).starts_with("text/html"));
    let policy = head(&page, header::CONTENT_SECURITY_POLICY);
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    if !built.exists() {
        assert!(page.text().await.unwrap().contains("npm run build"));
        not_checked("the page inside the program: it is not built (make page)");
        server.shutdown().await;
        return;
    }
    assert_eq!(head(&page, header::CACHE_CONTROL), "no-cache");
    let tag = head(&page, header::ETAG);
    let script = script(&page.text().await.unwrap());

    // A browser that has the page already is told so, also when its copy came compressed through a proxy.
    for known in [tag.clone(), format!("\"other\", W/{tag}")] {
        let again = get(format!("{url}/"), &[(header::IF_NONE_MATCH, &known)]).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(head(&again, header::ETAG), tag);
        assert!(again.bytes().await.unwrap().is_empty());
    }
    let other = get(format!("{url}/"), &[(header::IF_NONE_MATCH, "\"other\"")]).await;
    assert_eq!(other.status(), StatusCode::OK);

    let plain = get(format!("{url}{script}"), &[]).await;
    assert_eq!(head(&plain, header::CONTENT_TYPE), "text/javascript");
    assert!(head(&plain, header::CACHE_CONTROL).contains("immutable"));
    let plain = plain.bytes().await.unwrap().len();
    let packed = get(
        format!("{url}{script}"),
        &[(header::ACCEPT_ENCODING, "gzip")],
    )
    .await;
    assert_eq!(head(&packed, header::CONTENT_ENCODING), "gzip");
    assert!(packed.bytes().await.unwrap().len() < plain / 2);
    for nothing in ["/assets/nothing.js", "/assets/../Cargo.toml", "/index.htm"] {
        let answer = get(format!("{url}{nothing}"), &[]).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{nothing}");
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_takes_the_place_of_the_page_inside() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("assets")).unwrap();
    std::fs::write(folder.path().join("assets/a.js"), "1").unwrap();
    let root = folder.path().to_owned();
    let server = server_with(move |config| config.server.web_root = root).await;
    let url = format!("http://{}", server.address());
    let none = get(format!("{url}/"), &[]).await;
    assert!(none.text().await.unwrap().contains("web_root"));
    // The page may be built while the server runs.
    std::fs::write(folder.path().join("index.html"), "<h1>mine</h1>").unwrap();
    assert_eq!(
        get(format!("{url}/"), &[]).await.text().await.unwrap(),
        "<h1>mine</h1>"
    );
    assert_eq!(
        get(format!("{url}/assets/a.js"), &[])
            .await
            .text()
            .await
            .unwrap(),
        "1"
    );
    server.shutdown().await;
}

#[test]
fn a_folder_without_a_page_is_told_of() {
    let mut config = stoa::config::Config::default();
    config.server.web_root = "/nowhere/at/all".into();
    let warnings = stoa::server::warnings(&config);
    let told = warnings.iter().filter(|w| w.contains("/nowhere/at/all"));
    assert_eq!(told.count(), 1, "{warnings:?}");
}
