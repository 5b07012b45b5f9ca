//! Ids whose number is never given to another object: a place and how often it was taken.

pub struct Slots<T> {
    slots: Vec<(u32, Option<T>)>,
    empty: Vec<u32>,
}

impl<T> Slots<T> {
    pub const fn new() -> Self {
        Slots { slots: Vec::new(), empty: Vec::new() }
    }

    /// Puts in what `make` gives for its id. Never 0: places count from one turn on.
    pub fn insert(&mut self, make: impl FnOnce(u64) -> T) -> u64 {
        let place = self.empty.pop().unwrap_or_else(|| {
            self.slots.push((0, None));
            self.slots.len() as u32 - 1
        });
        let slot = &mut self.slots[place as usize];
        slot.0 = slot.0.wrapping_add(1).max(1);
        let id = u64::from(slot.0) << 32 | u64::from(place);
        slot.1 = Some(make(id));
        id
    }

    pub fn get(&self, id: u64) -> Option<&T> {
        let (turn, value) = self.slots.get(id as u32 as usize)?;
        if u64::from(*turn) == id >> 32 { value.as_ref() } else { None }
    }

    pub fn remove(&mut self, id: u64) -> Option<T> {
        self.get(id)?;
        let place = id as u32;
        self.empty.push(place);
        self.slots[place as usize].1.take()
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.1.as_ref())
    }

    pub fn ids(&self) -> Vec<u64> {
        let taken = self.slots.iter().enumerate().filter(|(_, slot)| slot.1.is_some());
        taken.map(|(place, slot)| u64::from(slot.0) << 32 | place as u64).collect()
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.slots.len() - self.empty.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_id_finds_nothing() {
        let mut slots = Slots::new();
        let first = slots.insert(|id| id);
        assert_eq!(slots.get(first), Some(&first));
        assert_eq!(slots.remove(first), Some(first));
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.remove(first), None);
        let second = slots.insert(|id| id);
        assert_ne!(first, second);
        assert_eq!(first as u32, second as u32);
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.len(), 1);
    }

    #[test]
    fn no_id_is_nothing() {
        let mut slots = Slots::new();
        assert_eq!(slots.get(0), None);
        assert_ne!(slots.insert(|_| ()), 0);
        assert_eq!(slots.get(0), None);
        assert_eq!(slots.get(u64::MAX), None);
    }

    #[test]
    fn an_id_that_has_gone_round_is_not_nothing() {
        let mut slots = Slots::new();
        let id = slots.insert(|id| id);
        slots.remove(id);
        slots.slots[0].0 = u32::MAX;
        assert_eq!(slots.insert(|id| id) >> 32, 1);
    }
}
