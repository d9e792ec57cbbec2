//! Child processes of a benchmark: servers and loads, each on a core of its own where there are two.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{ChildStdout, Command, Stdio},
    sync::LazyLock,
};

/// A child process, gone with this value. It gets a pipe as its stdin, which ends with this process, however that ends.
#[derive(Debug)]
pub struct Child {
    process: std::process::Child,
    out: BufReader<ChildStdout>,
}

/// The benchmark's own program, which is its servers and loads too.
pub fn this_program() -> PathBuf {
    std::env::current_exe().expect("this program")
}

/// Whether children can be pinned to two cores.
pub fn can_pin() -> bool {
    static CAN: LazyLock<bool> = LazyLock::new(|| {
        let check = Command::new("taskset")
            .args(["-c", "0,1", "true"])
            .stderr(Stdio::null())
            .status();
        std::thread::available_parallelism().is_ok_and(|n| n.get() > 1)
            && check.is_ok_and(|status| status.success())
    });
    *CAN
}

impl Child {
    /// Starts a program with these arguments, on a core if one is named.
    pub fn start(program: &Path, arguments: &[&str], core: Option<&str>) -> Self {
        Self::limited(program, arguments, core, None)
    }

    /// The same with a limit of open files.
    pub fn limited(
        program: &Path,
        arguments: &[&str],
        core: Option<&str>,
        files: Option<usize>,
    ) -> Self {
        let mut words = Vec::new();
        if let Some(core) = core {
            words.extend(["taskset".into(), "-c".into(), core.into()]);
        }
        if let Some(files) = files {
            words.extend(["prlimit".into(), format!("--nofile={files}").into()]);
        }
        words.push(program.as_os_str().to_owned());
        let mut process = Command::new(&words[0])
            .args(&words[1..])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child process");
        let out = BufReader::new(process.stdout.take().expect("its stdout"));
        Self { process, out }
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The next line that it prints.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("a line");
        assert!(!line.is_empty(), "the child ended; its stderr says why");
        line.trim().to_owned()
    }

    /// Lets it go on: it waits for a line.
    pub fn go(&mut self) {
        let input = self.process.stdin.as_mut().expect("its stdin");
        input.write_all(b"\n").expect("it reads");
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
