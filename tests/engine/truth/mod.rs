//! What the library says of an object and its callback, held against what the service knows. Each module is
//! about one way in which the two could part.

mod again;
mod broken;
mod by_hand;
mod callback_service;
mod gateways;
pub mod honest;
mod killed;
mod leftovers;
mod older;
mod race;
mod rights;
mod settling;
mod verified;

use us3::upload::Mode;
use us3_emulator::Call;

/// The two requests that store an object, and the uploads that send them.
const STORING: [(Mode, Call); 2] = [(Mode::Put, Call::Put), (Mode::Multipart, Call::Finish)];
