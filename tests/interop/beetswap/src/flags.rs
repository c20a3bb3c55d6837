//! `--name value` and `--name=value`, and nothing else.

use std::collections::HashMap;
use std::str::FromStr;
use std::time::Duration;

use crate::Failure;

pub struct Flags(HashMap<String, String>);

impl Flags {
    /// The words of a command line; a flag that is in neither list is an error.
    pub fn parse(words: impl Iterator<Item = String>, valued: &[&str], switches: &[&str]) -> Result<Self, Failure> {
        let mut values = HashMap::new();
        let mut words = words;
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").ok_or_else(|| format!("unexpected {word:?}"))?;
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (name, None),
            };
            let value = if switches.contains(&name) {
                value.unwrap_or_else(|| "true".to_owned())
            } else if valued.contains(&name) {
                value.or_else(|| words.next()).ok_or_else(|| format!("--{name} needs a value"))?
            } else {
                return Err(format!("unknown flag --{name}").into());
            };
            values.insert(name.to_owned(), value);
        }
        Ok(Self(values))
    }

    pub fn text(&self, name: &str, default: &str) -> String {
        self.0.get(name).map_or_else(|| default.to_owned(), String::clone)
    }

    pub fn value<T: FromStr>(&self, name: &str, default: T) -> Result<T, Failure> {
        match self.0.get(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| format!("--{name}: {text:?} is not understood").into()),
        }
    }

    /// Seconds, with or without an `s` behind them.
    pub fn seconds(&self, name: &str, default: f64) -> Result<Duration, Failure> {
        let text = self.text(name, &default.to_string());
        let number: f64 = text.strip_suffix('s').unwrap_or(&text).parse().map_err(|_| format!("--{name}: {text:?}"))?;
        Duration::try_from_secs_f64(number).map_err(|error| format!("--{name}: {error}").into())
    }
}
