//! Puts the built demo page into the program: a table of its files, made anew whenever `web-demo/dist` changes.
//!
//! Without a built page the table is empty, so that the server can be built where there is no Node.js.

use std::{env, fmt::Write as _, fs, io, path::Path};

fn main() -> io::Result<()> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    let page = Path::new(&root).join("web-demo").join("dist");
    println!("cargo:rerun-if-changed=build.rs");
    // Cargo runs this script at every build while a folder that it watches is missing; an empty one is watched quietly.
    if page.is_dir() || fs::create_dir_all(&page).is_ok() {
        println!("cargo:rerun-if-changed={}", page.display());
    }
    let mut files = Vec::new();
    // A page that is half built is none.
    if page.join("index.html").is_file() {
        collect(&page, "", &mut files)?;
        files.sort();
    }
    let mut table = String::from("[\n");
    for name in files {
        let file = page.join(&name);
        let line = format!(
            "({name:?}, include_bytes!({:?}).as_slice()),",
            file.display().to_string()
        );
        writeln!(table, "    {line}").map_err(io::Error::other)?;
    }
    table.push_str("]\n");
    fs::write(Path::new(&out).join("page.rs"), table)
}

/// Adds the names of all files under `folder`, each with the folders above it, as a URL has them.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        // A name becomes a route, and some characters mean something there.
        if !name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{prefix}{name}/"), files)?;
        } else {
            files.push(format!("{prefix}{name}"));
        }
    }
    Ok(())
}
