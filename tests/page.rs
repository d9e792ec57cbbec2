//! The demo page over the wire: from inside the program wherever it was started, or from a folder.

use std::path::Path;

use kit::{not_checked, server, server_with};
use reqwest::{Response, StatusCode, header};

async fn get(url: String, headers: &[(header::HeaderName, &str)]) -> Response {
    let mut request = kit::http_client().get(url);
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
async fn the_operators_page_has_a_path_of_its_own() {
    let server = server().await;
    let url = format!("http://{}", server.address());
    let page = get(format!("{url}/operator"), &[]).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(head(&page, header::CONTENT_SECURITY_POLICY).starts_with("default-src 'none'"));
    let html = page.text().await.unwrap();
    // Its addresses are relative: below another path they would lead nowhere.
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let client = client.build().unwrap();
    let slash = client.get(format!("{url}/operator/")).send().await.unwrap();
    assert_eq!(slash.status(), StatusCode::PERMANENT_REDIRECT);
    assert_eq!(head(&slash, header::LOCATION), "../operator");
    if html.contains("npm run build") {
        not_checked("the operator's page inside the program: it is not built (make page)");
    } else {
        let own = script(&html);
        let stage = get(format!("{url}/"), &[]).await.text().await.unwrap();
        assert!(!stage.contains(&own), "the demo page loads {own}");
        let answer = get(format!("{url}{own}"), &[]).await;
        assert_eq!(head(&answer, header::CONTENT_TYPE), "text/javascript");
        let twice = get(format!("{url}/operator.html"), &[]).await;
        assert_eq!(twice.status(), StatusCode::NOT_FOUND);
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_without_an_operators_page_leaves_the_one_of_the_program() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("assets")).unwrap();
    std::fs::write(folder.path().join("index.html"), "<h1>mine</h1>").unwrap();
    let root = folder.path().to_owned();
    let server = server_with(move |config| config.server.web_root = root).await;
    let url = format!("http://{}", server.address());
    let html = get(format!("{url}/operator"), &[]).await.text().await;
    let html = html.unwrap();
    if html.contains("npm run build") {
        not_checked("the operator's page beside a folder: it is not built (make page)");
    } else {
        let answer = get(format!("{url}{}", script(&html)), &[]).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(head(&answer, header::CACHE_CONTROL).contains("immutable"));
    }
    let missing = get(format!("{url}/assets/missing.js"), &[]).await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    // It may be there after the next build.
    assert!(!head(&missing, header::CACHE_CONTROL).contains("immutable"));
    std::fs::write(folder.path().join("operator.html"), "<h1>ours</h1>").unwrap();
    let own = get(format!("{url}/operator"), &[]).await.text().await;
    assert_eq!(own.unwrap(), "<h1>ours</h1>");
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
