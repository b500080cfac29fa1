//! Generates the C header in OUT_DIR, from where `make header` copies it, and sets the linker options of the shared library.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use cbindgen::{Builder, Config, DocumentationStyle, ItemType, Style};

const SOURCES: &str = "src/ffi";
const TEMPLATE: &str = "src/ffi/us3.h.in";
const SETTINGS: &str = "cbindgen.toml";

fn main() {
    for input in [SOURCES, SETTINGS] {
        println!("cargo:rerun-if-changed={input}");
    }
    link_for_c();
    let path = Path::new(&variable("OUT_DIR")).join("us3.h");
    fs::write(&path, header()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Linker options of the shared library.
fn link_for_c() {
    if variable("CARGO_CFG_TARGET_OS") != "linux" {
        return;
    }
    let soname = format!("libus3.so.{}", variable("CARGO_PKG_VERSION_MAJOR"));
    for option in [
        // Programs are linked against this name, so that no incompatible version is loaded instead.
        format!("-soname,{soname}"),
        // dlclose must not unmap code that a thread may still run.
        "-z,nodelete".to_owned(),
        // All symbols are resolved when the library is loaded; the tables are read-only afterwards.
        "-z,now".to_owned(),
        "-z,relro".to_owned(),
    ] {
        println!("cargo:rustc-cdylib-link-arg=-Wl,{option}");
    }
}

/// The header: the template, in which a line `@types result@` stands for the types that
/// src/ffi/result.rs declares, `@functions result@` for its functions, and `@version@` for ours.
fn header() -> String {
    let template = fs::read_to_string(root().join(TEMPLATE)).expect(TEMPLATE);
    let mut header = String::new();
    for line in template.lines() {
        match directive(line) {
            None => header.push_str(line),
            Some(("types", file)) => header.push_str(&types(file)),
            Some(("functions", file)) => header.push_str(&functions(file)),
            Some(("version", _)) => header.push_str(&version()),
            Some((unknown, _)) => panic!("{TEMPLATE}: there is no @{unknown}@"),
        }
        header.push('\n');
    }
    header
}

fn directive(line: &str) -> Option<(&str, &str)> {
    let inner = line.strip_prefix('@')?.strip_suffix('@')?;
    Some(inner.split_once(' ').unwrap_or((inner, "")))
}

fn types(file: &str) -> String {
    let all_but_functions = vec![
        ItemType::Enums,
        ItemType::Structs,
        ItemType::OpaqueItems,
        ItemType::Typedefs,
    ];
    declarations(file, all_but_functions, |config| {
        // `///` and not `/** */`: most of these comments are one line.
        config.documentation_style = DocumentationStyle::Cxx;
    })
}

fn functions(file: &str) -> String {
    declarations(file, vec![ItemType::Functions], |config| {
        // The template has one extern "C" around all functions.
        config.cpp_compat = false;
        // `us3_client *`, not `struct us3_client *`.
        config.style = Style::Type;
    })
}

/// What cbindgen makes of one file.
fn declarations(file: &str, items: Vec<ItemType>, adapt: impl FnOnce(&mut Config)) -> String {
    let settings = root().join(SETTINGS);
    let mut config = Config::from_file(settings).expect(SETTINGS);
    config.export.item_types = items;
    // Named here, because cbindgen leaves out types that no function of the same file mentions.
    config.export.include = public_types(file);
    adapt(&mut config);

    let bindings = Builder::new()
        .with_config(config)
        .with_src(source(file))
        .generate()
        .unwrap_or_else(|error| panic!("cbindgen cannot read {SOURCES}/{file}.rs: {error}"));
    let mut text = Vec::new();
    bindings.write(&mut text);
    let text = String::from_utf8(text).expect("cbindgen writes UTF-8");
    assert!(
        !text.trim().is_empty(),
        "{SOURCES}/{file}.rs exports nothing"
    );
    text.trim().to_owned()
}

/// The names of the types that a file declares for C.
fn public_types(file: &str) -> Vec<String> {
    let path = source(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let declared = text.lines().filter_map(|line| {
        let name = line
            .strip_prefix("pub struct ")
            .or_else(|| line.strip_prefix("pub enum "))
            .or_else(|| line.strip_prefix("pub type "))?;
        name.split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
    });
    declared.map(str::to_owned).collect()
}

fn version() -> String {
    let part = |name| variable(&format!("CARGO_PKG_VERSION_{name}"));
    format!(
        "/// The version of this header. us3_version() returns the version of the loaded library.\n\
         #define US3_VERSION \"{}\"\n\
         /// The first number of the version, which is also in the soname.\n\
         #define US3_VERSION_MAJOR {}\n\
         /// The second number of the version.\n\
         #define US3_VERSION_MINOR {}\n\
         /// The third number of the version.\n\
         #define US3_VERSION_PATCH {}",
        variable("CARGO_PKG_VERSION"),
        part("MAJOR"),
        part("MINOR"),
        part("PATCH"),
    )
}

fn source(file: &str) -> PathBuf {
    root().join(SOURCES).join(file).with_extension("rs")
}

fn root() -> PathBuf {
    PathBuf::from(variable("CARGO_MANIFEST_DIR"))
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("Cargo sets {name}"))
}
