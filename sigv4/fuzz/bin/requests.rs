//! Tries the target `requests`.
#![no_main]

#[path = "../targets.rs"]
#[allow(dead_code, reason = "each program tries one")]
mod targets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| targets::requests(input));
