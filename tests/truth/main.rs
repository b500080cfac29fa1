//! What the library says of an object and its callback, held against what the service knows. Each module is
//! about one way in which the two could part.

mod honest;
mod race;
#[path = "../support/mod.rs"]
mod support;
