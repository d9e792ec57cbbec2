//! Settings read from files and the environment, and the sentences about those that can't be.

mod api_keys;
mod environment;
mod exposed;
mod shipped;
mod values;
mod wrong;

use std::io::Write;

use super::*;

fn load(text: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let mut file = tempfile::Builder::new()
        .suffix(".toml")
        .tempfile()
        .expect("file");
    file.write_all(text.as_bytes()).expect("writes");
    let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    Config::load(Some(file.path()), env)
}

fn refused(text: &str, env: &[(&str, &str)]) -> String {
    let message = load(text, env).expect_err("must be refused").to_string();
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

#[test]
fn a_missing_file_is_named() {
    let error =
        Config::load(Some("/no/such/file.toml".as_ref()), std::iter::empty()).expect_err("refused");
    assert!(error.to_string().starts_with("/no/such/file.toml: "));
}
