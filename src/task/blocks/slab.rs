//! Slabs: pieces of memory that blocks of one size are cut from.
//!
//! Which of its blocks are free is told by bits in the head of a slab, and they are taken in the order in which they lie. What
//! is launched together so lies together, whoever ended in which order before: to go over a hundred thousand coroutines that
//! wait takes a tenth of the time that it takes where each is somewhere else.

use std::alloc::{Layout, alloc, handle_alloc_error};
use std::ptr::{self, NonNull};

use super::pile::Pile;

/// How much memory a slab is, and a multiple of this is where it begins.
const SLAB: usize = 64 << 10;
/// How far from its beginning the first block lies.
const HEAD: usize = 128;
const WORD: usize = u64::BITS as usize;
const WORDS: usize = 6;
/// How many slabs' memory comes from the heap at a time, at most. Less at first.
const MOST_AT_ONCE: usize = 16;

/// The head of a slab.
#[derive(Debug)]
pub(super) struct Slab {
    /// The neighbours in the list that it is in, if any of its blocks is free.
    next: *mut Slab,
    before: *mut Slab,
    free: [u64; WORDS],
    /// How many are free.
    count: usize,
    /// The list that it is in, if any of its blocks is free.
    has: Has,
}

const _: () = assert!(size_of::<Slab>() <= HEAD);

/// How many blocks of so many bytes are cut from a slab.
pub(super) const fn capacity(bytes: usize) -> usize {
    let blocks = (SLAB - HEAD) / bytes;
    assert!(blocks <= WORDS * WORD, "the blocks are too small");
    blocks
}

/// Some free blocks of a slab that were taken out of it, and have yet to be linked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    slab: *mut Slab,
    word: usize,
    mask: u64,
}

impl Cut {
    pub(super) fn count(&self) -> usize {
        self.mask.count_ones() as usize
    }

    /// Puts the blocks into a pile, so that they come out in the order in which they lie.
    ///
    /// # Safety
    ///
    /// The slab is of blocks of this size; they are put into a pile once.
    pub(super) unsafe fn put(self, bytes: usize, pile: &mut Pile) {
        let mut mask = self.mask;
        while mask != 0 {
            let bit = WORD - 1 - mask.leading_zeros() as usize;
            mask ^= 1 << bit;
            let offset = HEAD + (self.word * WORD + bit) * bytes;
            // SAFETY: in the slab, whose blocks these are.
            unsafe { pile.push(NonNull::new_unchecked(self.slab.cast::<u8>().add(offset))) };
        }
    }
}

/// New memory for so many slabs, or for one if there is no more, which stays with the process.
fn memory_for(slabs: usize) -> (NonNull<u8>, usize) {
    let layout = Layout::from_size_align(slabs * SLAB, SLAB).expect("a few megabytes");
    // SAFETY: the layout is not empty.
    match NonNull::new(unsafe { alloc(layout) }) {
        Some(memory) => {
            // `of` finds the slabs by their addresses.
            let _ = memory.as_ptr().expose_provenance();
            (memory, slabs)
        }
        None if slabs > 1 => memory_for(1),
        None => handle_alloc_error(layout),
    }
}

/// A slab at the beginning of this memory, all of whose blocks of this size are free.
///
/// # Safety
///
/// There is as much memory, and it is the caller's own.
unsafe fn carve(memory: NonNull<u8>, bytes: usize) -> NonNull<Slab> {
    let slab = memory.cast::<Slab>();
    let count = capacity(bytes);
    let free = std::array::from_fn(|word| match count.saturating_sub(word * WORD) {
        0 => 0,
        left if left >= WORD => u64::MAX,
        left => (1 << left) - 1,
    });
    let (next, before) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the caller's own, and large enough.
    unsafe {
        slab.write(Slab {
            next,
            before,
            free,
            count,
            has: Has::All,
        });
    }
    slab
}

/// The slab of a block.
fn of(block: NonNull<u8>) -> *mut Slab {
    ptr::with_exposed_provenance_mut(block.addr().get() & !(SLAB - 1))
}

/// The lowest bits of a word, so many if there are.
fn lowest(word: u64, count: usize) -> u64 {
    let mut rest = word;
    for _ in 0..count.min(WORD) {
        rest &= rest.wrapping_sub(1);
    }
    word ^ rest
}

/// Which of its blocks a slab has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Has {
    /// Some are in use.
    Some,
    All,
    /// All, and the system has their memory.
    AllDiscarded,
}

/// The slabs of one size of blocks.
#[derive(Debug)]
pub(super) struct Slabs {
    /// Lists of those that have free blocks, for each kind in [`Has`].
    lists: [*mut Slab; 3],
    /// How many there are in the second.
    whole: usize,
    /// How many blocks are free in all of them.
    #[cfg(test)]
    pub(super) count: usize,
    /// Memory for so many slabs that have yet to be made.
    memory: *mut u8,
    left: usize,
    /// How many slabs there are, with those.
    made: usize,
}

impl Slabs {
    pub(super) const fn new() -> Self {
        Self {
            lists: [ptr::null_mut(); 3],
            whole: 0,
            #[cfg(test)]
            count: 0,
            memory: ptr::null_mut(),
            left: 0,
            made: 0,
        }
    }

    /// How many slabs have no block in use, and no memory.
    #[cfg(test)]
    pub(super) fn discarded(&self) -> usize {
        let mut slab = self.lists[Has::AllDiscarded as usize];
        let next = || {
            // SAFETY: slabs stay for ever, and their heads belong to these lists.
            let next = unsafe { slab.as_ref() }?.next;
            slab = next;
            Some(())
        };
        std::iter::from_fn(next).count()
    }

    /// How many slabs have no block in use, and their memory all the same.
    pub(super) fn whole(&self) -> usize {
        self.whole
    }

    /// Takes a free block.
    ///
    /// # Safety
    ///
    /// It was cut here, is of this size, and is the caller's own.
    pub(super) unsafe fn give(&mut self, block: NonNull<u8>, bytes: usize) {
        let slab = of(block);
        let number = (block.addr().get() % SLAB - HEAD) as u32 / bytes as u32;
        let (word, bit) = (number as usize / WORD, number as usize % WORD);
        // SAFETY: slabs stay for ever, and their heads belong to these lists.
        unsafe {
            debug_assert_eq!((*slab).free[word] >> bit & 1, 0, "given twice");
            (*slab).free[word] |= 1 << bit;
            self.has_now(slab, 1, bytes);
        }
    }

    /// Takes out free blocks of a slab that lie side by side: at most so many, and at least one.
    pub(super) fn cut(&mut self, bytes: usize, most: usize) -> Cut {
        let first = self.lists.iter().find(|first| !first.is_null());
        let slab = match first {
            Some(&slab) => slab,
            None => self.make(bytes),
        };
        // SAFETY: slabs stay for ever, and their heads belong to these lists.
        let free = unsafe { &mut (*slab).free };
        let word = free.iter().position(|&word| word != 0);
        let word = word.expect("a slab in a list has a free block");
        let mask = lowest(free[word], most.max(1));
        free[word] ^= mask;
        let cut = Cut { slab, word, mask };
        // SAFETY: as above.
        unsafe { self.has_now(slab, -(cut.count() as isize), bytes) };
        cut
    }

    /// A slab without a block in use that is in the list of these.
    #[cold]
    fn make(&mut self, bytes: usize) -> *mut Slab {
        if self.left == 0 {
            let (memory, slabs) = memory_for(self.made.clamp(1, MOST_AT_ONCE));
            self.memory = memory.as_ptr();
            self.left = slabs;
            self.made += slabs;
        }
        let memory = NonNull::new(self.memory).expect("there is some left");
        self.memory = self.memory.wrapping_add(SLAB);
        self.left -= 1;
        #[cfg(test)]
        {
            self.count += capacity(bytes);
        }
        // SAFETY: our own, and used once.
        unsafe {
            let slab = carve(memory, bytes).as_ptr();
            self.link(slab, Has::All);
            slab
        }
    }

    /// Gives the memory of the blocks of a slab that has none in use to the system. False if there is none.
    pub(super) fn discard_one(&mut self) -> bool {
        let slab = self.lists[Has::All as usize];
        if slab.is_null() {
            return false;
        }
        // SAFETY: it is in this list, so nobody uses the blocks; the head lies in another page.
        unsafe {
            self.unlink(slab, Has::All);
            #[cfg(not(miri))]
            {
                let page = libc::sysconf(libc::_SC_PAGESIZE) as usize;
                if page < SLAB {
                    libc::madvise(slab.byte_add(page).cast(), SLAB - page, libc::MADV_DONTNEED);
                }
            }
            self.link(slab, Has::AllDiscarded);
        }
        true
    }

    /// So many more blocks of a slab are free. It goes from list to list as that makes a difference.
    ///
    /// # Safety
    ///
    /// It is one of these, and in a list if it had a free block before.
    #[inline]
    unsafe fn has_now(&mut self, slab: *mut Slab, more: isize, bytes: usize) {
        // SAFETY: the caller vouches for it.
        unsafe {
            let before = (*slab).count;
            let now = before.wrapping_add_signed(more);
            (*slab).count = now;
            #[cfg(test)]
            {
                self.count = self.count.wrapping_add_signed(more);
            }
            let has = |count: usize| match count {
                0 => None,
                count if count == capacity(bytes) => Some(Has::All),
                _ => Some(Has::Some),
            };
            if has(before) == has(now) {
                return;
            }
            if has(before).is_some() {
                self.unlink(slab, (*slab).has);
            }
            if let Some(has) = has(now) {
                self.link(slab, has);
            }
        }
    }

    /// # Safety
    ///
    /// The slab is one of these, and in no list.
    unsafe fn link(&mut self, slab: *mut Slab, has: Has) {
        self.whole += usize::from(has == Has::All);
        let next = std::mem::replace(&mut self.lists[has as usize], slab);
        // SAFETY: slabs stay for ever, and their heads belong to these lists.
        unsafe {
            (*slab).has = has;
            (*slab).next = next;
            (*slab).before = ptr::null_mut();
            if !next.is_null() {
                (*next).before = slab;
            }
        }
    }

    /// # Safety
    ///
    /// The slab is in that list.
    unsafe fn unlink(&mut self, slab: *mut Slab, has: Has) {
        self.whole -= usize::from(has == Has::All);
        // SAFETY: slabs stay for ever, and their heads belong to these lists.
        unsafe {
            let (before, next) = ((*slab).before, (*slab).next);
            if before.is_null() {
                self.lists[has as usize] = next;
            } else {
                (*before).next = next;
            }
            if !next.is_null() {
                (*next).before = before;
            }
        }
    }
}
