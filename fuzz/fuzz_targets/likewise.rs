#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| us3_fuzz::likewise(input));
