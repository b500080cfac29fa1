//! Library × gateway × service × callback service × host, in every order of events that small bounds allow.
//!
//! The rules of src/protocol decide; the model supplies losses, delays, late execution and kills, and holds
//! what the library tells its host against what happened. `make model` explores larger bounds.

mod assumptions;
mod check;
mod library;
mod model;
mod old_rules;
mod promises;
mod properties;
mod rules;
mod state;
mod subjects;
mod world;
