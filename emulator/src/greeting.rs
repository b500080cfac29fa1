//! The greeting: how to use a client with this emulator.

use axum::http::{Request, header};
use serde_json::json;

use crate::auth;
use crate::emulator::Emulator;
use crate::options::{Options, PRIVATE_KEY};

/// Shown instead of a private key that somebody chose.
const HIDDEN: &str = "(the one of --private-key)";
/// Shown instead of a token that somebody chose.
const HIDDEN_TOKEN: &str = "(the one of --control-token)";

impl Emulator {
    /// `config.json` for clients of this emulator, as the vendor's SDKs and libus3 read it.
    pub fn client_config(&self) -> String {
        self.config_with(&self.options().private_key)
    }

    /// How to use a client with this emulator, for people. Shows only the default private key, never a key
    /// or token that somebody chose.
    pub fn greeting(&self) -> String {
        let (url, control) = (self.url(), self.control_url());
        let private_key = match self.options().private_key.as_str() {
            PRIVATE_KEY => PRIVATE_KEY,
            _ => HIDDEN,
        };
        let token = match (&self.options().control_token, self.control_token()) {
            (Some(_), _) => Some(HIDDEN_TOKEN),
            (None, made) => made,
        };
        let token = token
            .map(|token| format!("-H 'Authorization: Bearer {token}' "))
            .unwrap_or_default();
        let config = indented(&self.config_with(private_key));
        let authorization = authorization(self.options(), "hello.txt");
        format!(
            "
A local US3 is running. A client's config.json for it:

{config}
In C:    us3_client_from_file(\"config.json\", &client, &result);
By hand: curl -X PUT -H 'Content-Type: text/plain' -H 'Authorization: {authorization}' \\
              --data-binary hello {url}/hello.txt
State:   curl {token}{control}/state
Faults:  curl {token}-d '{{\"call\":\"put\",\"nth\":1,\"fault\":\"reset\"}}' {control}/rules

Ctrl-C stops it. A line for each request follows; --quiet leaves all of this out.

"
        )
    }

    fn config_with(&self, private_key: &str) -> String {
        let options = self.options();
        // By hand, for the order in which people write it.
        let members = [
            ("public_key", options.public_key.clone()),
            ("private_key", private_key.into()),
            ("bucket_name", options.bucket.clone()),
            ("endpoint", self.url()),
        ];
        let lines = members.map(|(name, value)| format!("  {}: {}", json!(name), json!(value)));
        format!("{{\n{}\n}}\n", lines.join(",\n"))
    }
}

/// What signs a PutFile of text under a key.
fn authorization(options: &Options, key: &str) -> String {
    let head = Request::put("/")
        .header(header::CONTENT_TYPE, "text/plain")
        .body(())
        .expect("it is well formed")
        .into_parts()
        .0;
    auth::authorization(options, &head, key.as_bytes())
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}
