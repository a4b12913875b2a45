//! Memory that a client is lent: values that lie in it are sent from where they are, and not copied.
//!
//! It is cut into slots of one size. A slot belongs to the sender until its record is handed over, to the client until
//! the record's report has come, and to the sender again. So the values of all records that are under way are in
//! slots of their own. What waits in the client is limited by count and by bytes, so the slots are, too. Pages of the
//! memory are taken from the system when they are first written.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    ptr::NonNull,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The memory. Whoever takes reports gives slots back here; their sender has a [`Lender`].
pub(crate) struct Lent {
    memory: NonNull<u8>,
    layout: Layout,
    slot_bytes: usize,
    /// First bytes of slots whose records were reported on, until the sender takes them.
    back: Mutex<Vec<u32>>,
}

// SAFETY: the memory is owned. A slot's bytes are written by its sender alone, while the slot is the sender's.
unsafe impl Send for Lent {}
// SAFETY: as above; what threads share beside it is behind a lock.
unsafe impl Sync for Lent {}

impl Lent {
    /// The slot of a value that lies here: its first byte.
    #[inline]
    pub(crate) fn slot_of(&self, value: &[u8]) -> Option<u32> {
        let at = value.as_ptr().addr().wrapping_sub(self.memory.addr().get());
        u32::try_from(at).ok().filter(|_| at < self.layout.size())
    }

    /// Gives slots back whose records were reported on, and leaves the list empty.
    pub(crate) fn give_back(&self, slots: &mut Vec<u32>) {
        if !slots.is_empty() {
            self.back().append(slots);
        }
    }

    /// Whether an arena of values is this memory.
    pub(super) fn is(&self, arena: &[u8]) -> bool {
        std::ptr::eq(arena.as_ptr(), self.memory.as_ptr())
    }

    fn back(&self) -> MutexGuard<'_, Vec<u32>> {
        self.back.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, freed once.
        unsafe { dealloc(self.memory.as_ptr(), self.layout) }
    }
}

/// The sender's side.
pub(crate) struct Lender {
    lent: Arc<Lent>,
    /// Slots that are the sender's, by their first byte; what came back last is taken first.
    free: Vec<u32>,
    /// Bytes of the slots that were ever taken, from the first on.
    made: usize,
}

impl Lender {
    /// So many slots of so many bytes; `None` if there is no such memory, or places in it would not fit a message.
    pub(crate) fn new(slot_bytes: u32, slots: u64) -> Option<Self> {
        let slot_bytes = usize::try_from(slot_bytes).ok()?;
        let bytes = slot_bytes.checked_mul(usize::try_from(slots).ok()?)?;
        u32::try_from(bytes).ok()?;
        let layout = Layout::from_size_align(bytes, 64).ok().filter(|layout| layout.size() > 0)?;
        // SAFETY: the size is not 0.
        let memory = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        let lent = Arc::new(Lent { memory, layout, slot_bytes, back: Mutex::default() });
        Some(Self { lent, free: Vec::new(), made: 0 })
    }

    /// The memory, for whoever gives slots back.
    pub(crate) fn lent(&self) -> &Arc<Lent> {
        &self.lent
    }

    /// Takes a slot: its first byte, and whether it was never taken before. `None` if all are under way.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<(u32, bool)> {
        match self.free.pop() {
            Some(slot) => Some((slot, false)),
            None => self.take_another(),
        }
    }

    #[cold]
    fn take_another(&mut self) -> Option<(u32, bool)> {
        std::mem::swap(&mut self.free, &mut self.lent.back());
        if let Some(slot) = self.free.pop() {
            return Some((slot, false));
        }
        let slot = self.made;
        if slot + self.lent.slot_bytes > self.lent.layout.size() {
            return None;
        }
        self.made += self.lent.slot_bytes;
        Some((u32::try_from(slot).ok()?, true))
    }

    /// Takes back a slot whose record was not handed over.
    pub(crate) fn keep(&mut self, slot: u32) {
        self.free.push(slot);
    }

    /// A slot's bytes, to be written. The slot must be the sender's: taken, and its record not handed over.
    #[inline]
    pub(crate) fn slot_mut(&mut self, slot: u32) -> &mut [u8] {
        let (at, bytes) = (slot as usize, self.lent.slot_bytes);
        assert!(at + bytes <= self.made, "a slot that was taken");
        // SAFETY: within the memory, and written through this only reference. Nobody else reads the slot: the client
        // reads slots that were handed over, and none of them is given here, see above.
        unsafe { std::slice::from_raw_parts_mut(self.lent.memory.as_ptr().add(at), bytes) }
    }

    /// All slots that were ever taken.
    #[inline]
    pub(crate) fn all(&self) -> &[u8] {
        // SAFETY: within the memory, which is only written through `slot_mut`, and so not while this is borrowed.
        unsafe { std::slice::from_raw_parts(self.lent.memory.as_ptr(), self.made) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_taken_once_until_they_come_back() {
        let mut lender = Lender::new(64, 3).unwrap();
        let taken: Vec<_> = std::iter::from_fn(|| lender.take()).collect();
        assert_eq!(taken, [(0, true), (64, true), (128, true)]);
        lender.slot_mut(64).fill(7);
        let lent = Arc::clone(lender.lent());
        assert_eq!(lent.slot_of(&lender.all()[64..80]), Some(64));
        assert_eq!(lent.slot_of(&[0; 8]), None);
        let mut back = vec![128, 64];
        lent.give_back(&mut back);
        assert!(back.is_empty());
        assert_eq!(
            [lender.take(), lender.take(), lender.take()],
            [Some((64, false)), Some((128, false)), None]
        );
        lender.keep(0);
        assert_eq!(lender.take(), Some((0, false)));
        assert_eq!(lender.all()[64..128], [7; 64]);
    }

    #[test]
    fn memory_that_places_cannot_point_into_is_not_lent() {
        assert!(Lender::new(1 << 20, 1 << 12).is_none());
        assert!(Lender::new(1_024, 0).is_none());
    }
}
