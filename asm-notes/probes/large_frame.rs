//! What does a function do on entry whose frame is larger than a page? For asm-notes/guard.md.

use std::hint::black_box;

/// A frame that fits into a page.
#[inline(never)]
pub fn small() {
    black_box([0_u8; 512]);
}

/// A frame of three pages.
#[inline(never)]
pub fn three_pages() {
    let frame = [std::mem::MaybeUninit::<u8>::uninit(); 3 * 4096];
    black_box(&frame);
}

/// A frame larger than the least stack, let alone its guard.
#[inline(never)]
pub fn larger_than_a_stack() {
    let frame = [std::mem::MaybeUninit::<u8>::uninit(); 100 * 1024];
    black_box(&frame);
}
