//! Pending multipart uploads: begun, filled with parts, finished or aborted.

use std::collections::BTreeMap;
use std::io;

use super::{About, Segment, Store};
use crate::etag::{BLOCK, Summer, Sums};
use crate::refusal::Refusal;
use crate::state::{PartState, UploadState};

pub(crate) struct Upload {
    id: String,
    key: String,
    about: About,
    /// Seconds since 1970.
    started: u64,
    parts: BTreeMap<u32, Part>,
}

/// What a list tells of an upload.
pub(crate) struct Unfinished {
    pub id: String,
    pub key: String,
    /// Seconds since 1970.
    pub started: u64,
    pub storage_class: String,
}

#[derive(Clone)]
pub(crate) struct Part {
    pub sums: Sums,
    pub segment: Segment,
    pub uploaded: u64,
}

/// An upload whose parts were found to be right.
pub(crate) struct Finished {
    pub about: About,
    parts: Vec<Part>,
}

impl Upload {
    pub fn state(&self) -> UploadState {
        let parts = self.parts.iter().map(|(number, part)| PartState {
            number: *number,
            size: part.sums.size,
            etag: part.sums.part_etag(),
        });
        UploadState {
            upload_id: self.id.clone(),
            key: self.key.clone(),
            parts: parts.collect(),
        }
    }
}

impl Store {
    /// Begins an upload; gives its id.
    pub fn initiate(&self, key: &str, about: About) -> String {
        let id = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        let upload = Upload {
            id: id.clone(),
            key: key.into(),
            about,
            started: self.clock.now(),
            parts: BTreeMap::new(),
        };
        self.index
            .lock()
            .unwrap()
            .uploads
            .insert(id.clone(), upload);
        id
    }

    /// The pending uploads, sorted by key and id.
    pub fn unfinished(&self) -> Vec<Unfinished> {
        let index = self.index.lock().unwrap();
        let described = index.uploads.values().map(|upload| Unfinished {
            id: upload.id.clone(),
            key: upload.key.clone(),
            started: upload.started,
            storage_class: upload.about.storage_class.clone(),
        });
        let mut uploads: Vec<Unfinished> = described.collect();
        drop(index);
        uploads.sort_by(|a, b| (&a.key, &a.id).cmp(&(&b.key, &b.id)));
        uploads
    }

    /// Whether there is such an upload of this key.
    pub fn check_upload(&self, id: &str, key: &str) -> Result<(), Refusal> {
        match self.index.lock().unwrap().uploads.get(id) {
            Some(upload) if upload.key == key => Ok(()),
            Some(upload) => Err(Refusal::no_such_upload()
                .with_note(format!("this upload is of the key {:?}", upload.key))),
            None => Err(Refusal::no_such_upload()),
        }
    }

    /// Adds a part, in the place of an older one of its number.
    pub fn add_part(&self, id: &str, number: u32, part: Part) -> Result<(), Refusal> {
        let mut index = self.index.lock().unwrap();
        let upload = index
            .uploads
            .get_mut(id)
            .ok_or_else(Refusal::no_such_upload)?;
        upload.parts.insert(number, part);
        Ok(())
    }

    /// The key of an upload, and its parts by number.
    pub fn parts(&self, id: &str) -> Result<(String, BTreeMap<u32, Part>), Refusal> {
        let index = self.index.lock().unwrap();
        let upload = index.uploads.get(id).ok_or_else(Refusal::no_such_upload)?;
        Ok((upload.key.clone(), upload.parts.clone()))
    }

    pub fn abort(&self, id: &str, key: &str) -> Result<(), Refusal> {
        self.check_upload(id, key)?;
        self.index
            .lock()
            .unwrap()
            .uploads
            .remove(id)
            .map(drop)
            .ok_or_else(Refusal::no_such_upload)
    }

    /// Takes an upload out when its parts are complete and the ETags are theirs; one that stays is pending as before.
    pub fn finish(
        &self,
        id: &str,
        key: &str,
        etags: &[&str],
        part_size: u64,
        stays: bool,
    ) -> Result<Finished, Refusal> {
        self.check_upload(id, key)?;
        let mut index = self.index.lock().unwrap();
        let upload = index.uploads.get(id).ok_or_else(Refusal::no_such_upload)?;
        check_parts(&upload.parts, etags, part_size)?;
        let finished = Finished {
            about: upload.about.clone(),
            parts: upload.parts.values().cloned().collect(),
        };
        if !stays {
            index.uploads.remove(id);
        }
        Ok(finished)
    }
}

fn check_parts(parts: &BTreeMap<u32, Part>, etags: &[&str], part_size: u64) -> Result<(), Refusal> {
    if parts.is_empty() || parts.len() != etags.len() {
        let note = format!("{} parts are here, {} ETags came", parts.len(), etags.len());
        return Err(Refusal::invalid_etag_count().with_note(note));
    }
    let last = parts.len() as u32 - 1;
    for ((number, part), (expected, etag)) in parts.iter().zip((0..).zip(etags)) {
        if *number != expected {
            return Err(Refusal::invalid_part(format!(
                "invalid part: part {expected} is missing"
            )));
        }
        if *number != last && part.sums.size != part_size {
            let size = part.sums.size;
            return Err(Refusal::invalid_part(format!(
                "invalid part size: part {number} has {size} bytes, not {part_size}"
            )));
        }
        if part.sums.part_etag() != **etag {
            return Err(Refusal::invalid_etag(*number));
        }
    }
    Ok(())
}

impl Finished {
    pub fn segments(&self) -> Vec<Segment> {
        self.parts.iter().map(|part| part.segment.clone()).collect()
    }

    /// The sums over all parts. Blocking.
    pub fn sums(&self, part_size: u64) -> io::Result<Sums> {
        if let [only] = &self.parts[..] {
            return Ok(only.sums.clone());
        }
        if part_size.is_multiple_of(BLOCK) {
            return Ok(Sums {
                size: self.parts.iter().map(|part| part.sums.size).sum(),
                blocks: self
                    .parts
                    .iter()
                    .flat_map(|part| part.sums.blocks.clone())
                    .collect(),
                // Not needed: with two parts of at least a block there is more than one block.
                whole: self.parts[0].sums.whole,
            });
        }
        let mut summer = Summer::new();
        for part in &self.parts {
            read_all(&part.segment, &mut summer)?;
        }
        Ok(summer.finish())
    }
}

fn read_all(segment: &Segment, summer: &mut Summer) -> io::Result<()> {
    let mut file = segment.blob.open()?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        match io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok(()),
            len => summer.update(&buffer[..len]),
        }
    }
}
