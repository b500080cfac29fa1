//! The rights of the account's token. Each call needs one right.

use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;
use crate::target::Call;

/// A right of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// HeadFile and downloads.
    Read,
    /// Uploads: PutFile, initiate, parts and finish.
    Write,
    /// DeleteFile and AbortMultipartUpload.
    Delete,
    /// ListParts and GetMultiUploadId.
    List,
}

const NAMES: [(&str, Right); 4] = [
    ("read", Right::Read),
    ("write", Right::Write),
    ("delete", Right::Delete),
    ("list", Right::List),
];

/// The rights of a token. As JSON a list: `["read","write"]`; on the command line `read,write`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Right>", into = "Vec<Right>")]
pub struct Rights {
    /// HeadFile and downloads.
    pub read: bool,
    /// Uploads.
    pub write: bool,
    /// DeleteFile and AbortMultipartUpload.
    pub delete: bool,
    /// ListParts and GetMultiUploadId.
    pub list: bool,
}

impl Rights {
    /// Everything; the default.
    pub const ALL: Self = Self {
        read: true,
        write: true,
        delete: true,
        list: true,
    };

    /// Nothing at all.
    pub const NONE: Self = Self {
        read: false,
        write: false,
        delete: false,
        list: false,
    };

    /// These and no others.
    pub fn only(rights: &[Right]) -> Self {
        Self {
            read: rights.contains(&Right::Read),
            write: rights.contains(&Right::Write),
            delete: rights.contains(&Right::Delete),
            list: rights.contains(&Right::List),
        }
    }

    fn has(self, right: Right) -> bool {
        match right {
            Right::Read => self.read,
            Right::Write => self.write,
            Right::Delete => self.delete,
            Right::List => self.list,
        }
    }
}

impl Default for Rights {
    fn default() -> Self {
        Self::ALL
    }
}

impl From<Vec<Right>> for Rights {
    fn from(rights: Vec<Right>) -> Self {
        Self::only(&rights)
    }
}

impl From<Rights> for Vec<Right> {
    fn from(rights: Rights) -> Self {
        let mut given: Self = NAMES.map(|(_, right)| right).into();
        given.retain(|right| rights.has(*right));
        given
    }
}

impl FromStr for Rights {
    type Err = String;

    /// Reads `read,write`; nothing is no right.
    fn from_str(text: &str) -> Result<Self, String> {
        let words = text.split(',').filter(|word| !word.is_empty());
        let rights: Result<Vec<Right>, String> = words.map(right).collect();
        Ok(Self::only(&rights?))
    }
}

fn right(name: &str) -> Result<Right, String> {
    let found = NAMES.iter().find(|(known, _)| *known == name);
    found
        .map(|(_, right)| *right)
        .ok_or_else(|| format!("no right {name:?}: there are read, write, delete and list"))
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = NAMES.iter().filter(|(_, right)| self.has(*right));
        let names: Vec<&str> = given.map(|(name, _)| *name).collect();
        f.write_str(&names.join(","))
    }
}

/// The rights in force.
#[derive(Default)]
pub(crate) struct Token {
    rights: Mutex<Rights>,
}

impl Token {
    pub fn set(&self, rights: Rights) {
        *self.rights.lock().unwrap() = rights;
    }

    /// Whether it may do this.
    pub fn check(&self, call: Call) -> Result<(), Refusal> {
        let rights = *self.rights.lock().unwrap();
        if needed(call).is_none_or(|right| rights.has(right)) {
            return Ok(());
        }
        let note = format!("the token has the rights \"{rights}\", the call {call} needs another");
        Err(Refusal::permission_denied().with_note(note))
    }
}

fn needed(call: Call) -> Option<Right> {
    match call {
        Call::Head | Call::Get => Some(Right::Read),
        Call::Put | Call::Initiate | Call::Part | Call::Finish => Some(Right::Write),
        Call::Abort | Call::Delete => Some(Right::Delete),
        Call::List | Call::ListUploads => Some(Right::List),
        Call::Callback | Call::Connection | Call::Other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_read_as_words_and_as_json() {
        for (text, json, rights) in [
            (
                "read,write,delete,list",
                r#"["read","write","delete","list"]"#,
                Rights::ALL,
            ),
            ("", "[]", Rights::NONE),
            ("write", r#"["write"]"#, Rights::only(&[Right::Write])),
            (
                "read,list",
                r#"["read","list"]"#,
                Rights {
                    write: false,
                    delete: false,
                    ..Rights::ALL
                },
            ),
        ] {
            assert_eq!(text.parse(), Ok(rights));
            assert_eq!(rights.to_string(), text);
            assert_eq!(serde_json::to_string(&rights).unwrap(), json);
            assert_eq!(serde_json::from_str::<Rights>(json).unwrap(), rights);
        }
        assert!(
            "read,writ"
                .parse::<Rights>()
                .unwrap_err()
                .contains("\"writ\"")
        );
    }
}
