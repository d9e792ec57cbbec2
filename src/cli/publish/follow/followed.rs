//! One followed file: the lines in it that are whole, from the place up to which it is published.

use std::{
    fs::{File, Metadata},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::{Instant, SystemTime},
};

use memchr::{memchr, memrchr};

use super::mark::{Anchor, Mark, Place};
use crate::cli::publish::lines::MAX_LINE;

/// Bytes that are read at a time; more only for a line that is longer.
const READ_BYTES: usize = 256 * 1024;

/// The lines that were read at once, and the place behind them.
#[derive(Debug, Default)]
pub(super) struct Piece {
    /// Each line with the byte at which it begins.
    pub(super) lines: Vec<(u64, Vec<u8>)>,
    /// The beginnings of lines that are too long to be sent.
    pub(super) too_long: Vec<u64>,
    pub(super) place: Place,
    /// Whether no whole line is left.
    pub(super) is_drained: bool,
}

#[derive(Debug)]
pub(super) struct Followed {
    pub(super) mark: Mark,
    handle: Option<File>,
    /// Its length and time at the last look.
    looked: Option<(u64, SystemTime)>,
    /// The last time that it was seen to grow.
    pub(super) grown: Instant,
    /// Whether there may be lines that are not published.
    pub(super) is_unread: bool,
    /// Since when no pattern leads to it any more.
    pub(super) gone: Option<Instant>,
}

impl Followed {
    pub(super) fn new(mark: Mark) -> Self {
        Self {
            mark,
            handle: None,
            looked: None,
            grown: Instant::now(),
            is_unread: false,
            gone: None,
        }
    }

    /// Notes its length and time; whether they differ from those of the last look.
    pub(super) fn look(&mut self, about: &Metadata) -> bool {
        let now = (
            about.len(),
            about.modified().unwrap_or(SystemTime::UNIX_EPOCH),
        );
        let differs = self.looked != Some(now);
        if differs {
            self.looked = Some(now);
            self.grown = Instant::now();
            self.is_unread = about.len() != self.mark.place.position;
        }
        differs
    }

    /// Looks at a file that only its handle leads to.
    pub(super) fn look_by_handle(&mut self) {
        if let Some(about) = self.handle.as_ref().and_then(|file| file.metadata().ok()) {
            self.look(&about);
        }
    }

    /// Whether it still has the bytes before the place up to which it is published.
    pub(super) fn is_the_same(&mut self) -> io::Result<bool> {
        let Place {
            position, anchor, ..
        } = self.mark.place;
        let from = position.saturating_sub(anchor.bytes);
        let mut bytes = Vec::new();
        let file = self.open()?;
        file.seek(SeekFrom::Start(from))?;
        file.take(anchor.bytes).read_to_end(&mut bytes)?;
        Ok(file.metadata()?.len() >= position && anchor.holds(&bytes))
    }

    pub(super) fn open(&mut self) -> io::Result<&mut File> {
        let file = match self.handle.take() {
            Some(file) => file,
            None => File::open(&self.mark.path)?,
        };
        Ok(self.handle.insert(file))
    }

    pub(super) fn is_open(&self) -> bool {
        self.handle.is_some()
    }

    /// Whether it ends with something that is no whole line.
    pub(super) fn has_rest(&self) -> bool {
        self.is_open()
            && self
                .looked
                .is_some_and(|(length, _)| length > self.mark.place.position)
    }

    /// Closes it; a later look opens it by its path.
    pub(super) fn close(&mut self) {
        self.handle = None;
    }

    /// Passes over all lines that are whole. One that is being written comes when it is.
    pub(super) fn skip_to_end(&mut self) -> io::Result<()> {
        let file = self.open()?;
        let end = file.metadata()?.len();
        let mut from = end;
        let mut tail = Vec::new();
        // Further back than the longest line nothing is sent anyway.
        while from > 0 && tail.len() <= MAX_LINE && !tail.contains(&b'\n') {
            from = from.saturating_sub(READ_BYTES as u64);
            tail.clear();
            file.seek(SeekFrom::Start(from))?;
            file.take(end - from).read_to_end(&mut tail)?;
        }
        let whole = memrchr(b'\n', &tail).map_or(0, |at| at + 1);
        self.mark.place = Place {
            position: from + whole as u64,
            anchor: Anchor::behind(&tail[..whole]),
            skipping: from > 0 && whole == 0,
        };
        self.is_unread = self.mark.place.position != end;
        Ok(())
    }

    /// Reads whole lines: at most `lines` of `bytes` together, but one of any length where `is_first`. The rest of a file
    /// that nobody writes any more is a line, too.
    pub(super) fn read(
        &mut self,
        lines: usize,
        bytes: usize,
        is_first: bool,
        is_last: bool,
    ) -> io::Result<Piece> {
        let place = self.mark.place;
        let file = self.open()?;
        file.seek(SeekFrom::Start(place.position))?;
        let mut read = Vec::new();
        let mut want = READ_BYTES;
        let at_end = loop {
            file.take((want - read.len()) as u64)
                .read_to_end(&mut read)?;
            let at_end = read.len() < want;
            if at_end || read.contains(&b'\n') || read.len() > MAX_LINE {
                break at_end;
            }
            want *= 2;
        };
        let mut piece = Piece {
            place,
            is_drained: at_end,
            ..Piece::default()
        };
        let mut used = 0;
        let mut room = bytes;
        while let Some(length) = memchr(b'\n', &read[used..]) {
            if !piece.push(&read[used..used + length], used, lines, &mut room, is_first) {
                piece.is_drained = false;
                break;
            }
            used += length + 1;
        }
        let rest = &read[used..];
        if piece.is_drained && is_last && !rest.is_empty() {
            match piece.push(rest, used, lines, &mut room, is_first) {
                true => used = read.len(),
                false => piece.is_drained = false,
            }
        } else if rest.len() > MAX_LINE || piece.place.skipping && !rest.is_empty() {
            if !piece.place.skipping {
                piece.too_long.push(place.position + used as u64);
            }
            piece.place.skipping = true;
            used = read.len();
        }
        if used > 0 {
            piece.place.position += used as u64;
            piece.place.anchor = Anchor::behind(&read[..used]);
        }
        Ok(piece)
    }
}

impl Piece {
    /// Takes one line, which begins at this byte of what was read; `false` if there is no room for it.
    fn push(
        &mut self,
        line: &[u8],
        at: usize,
        lines: usize,
        room: &mut usize,
        is_first: bool,
    ) -> bool {
        if self.place.skipping {
            self.place.skipping = false;
            return true;
        }
        let offset = self.place.position + at as u64;
        let line = match offset {
            0 => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
            _ => line,
        };
        let line = line.trim_ascii();
        if line.is_empty() {
            return true;
        }
        if line.len() > MAX_LINE {
            self.too_long.push(offset);
            return true;
        }
        let fits = line.len() < *room || is_first && self.lines.is_empty();
        if self.lines.len() >= lines || !fits {
            return false;
        }
        *room = room.saturating_sub(line.len());
        self.lines.push((offset, line.to_vec()));
        true
    }
}

/// A name for the file itself, which it keeps when it is renamed.
#[cfg(unix)]
pub(super) fn identity(_: &Path, about: &Metadata) -> String {
    use std::os::unix::fs::MetadataExt;
    format!("{}:{}", about.dev(), about.ino())
}

/// A name for the file itself; a renamed file is another one here.
#[cfg(not(unix))]
pub(super) fn identity(path: &Path, about: &Metadata) -> String {
    let since = about
        .created()
        .ok()
        .and_then(|made| made.duration_since(SystemTime::UNIX_EPOCH).ok());
    format!(
        "{}@{}",
        path.display(),
        since.map_or(0, |since| since.as_nanos())
    )
}

/// The file with this identity in the folder of a path, under whatever name.
pub(super) fn renamed(path: &Path, file: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(path.parent()?).ok()?;
    entries.flatten().map(|entry| entry.path()).find(|path| {
        let about = std::fs::metadata(path);
        about.is_ok_and(|about| about.is_file() && identity(path, &about) == file)
    })
}
