//! How large an instance may grow.

use wasmtime::ResourceLimiter;

use crate::HostLimits;

/// Holds all memories and tables of one store to their limits, and remembers that it refused one.
///
/// A guest that is refused memory usually traps a moment later; the memory is then the reason worth reporting.
#[derive(Debug)]
pub(crate) struct MemoryLimiter {
    bytes: usize,
    bytes_max: usize,
    table_elements: usize,
    table_elements_max: usize,
    items_max: usize,
    refused: Option<String>,
}

impl MemoryLimiter {
    pub(crate) fn new(bytes_max: usize, limits: &HostLimits) -> Self {
        Self {
            bytes: 0,
            bytes_max,
            table_elements: 0,
            table_elements_max: limits.table_elements_max,
            items_max: limits.core_items_max,
            refused: None,
        }
    }

    /// Bytes of all its linear memories.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What was refused since the last call of this.
    pub(crate) fn take_refused(&mut self) -> Option<String> {
        self.refused.take()
    }
}

/// What `total` becomes when a part of it grows; `None` when it would be more than `max`.
fn grown(total: usize, current: usize, desired: usize, max: usize) -> Option<usize> {
    total
        .saturating_sub(current)
        .checked_add(desired)
        .filter(|sum| *sum <= max)
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        match grown(self.bytes, current, desired, self.bytes_max) {
            Some(bytes) => self.bytes = bytes,
            None => {
                self.refused = Some(format!(
                    "it wants {desired} bytes of memory, allowed are {}",
                    self.bytes_max
                ));
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        match grown(self.table_elements, current, desired, self.table_elements_max) {
            Some(elements) => self.table_elements = elements,
            None => {
                self.refused = Some(format!(
                    "it wants {desired} table elements, allowed are {}",
                    self.table_elements_max
                ));
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.items_max
    }

    fn tables(&self) -> usize {
        self.items_max
    }

    fn memories(&self) -> usize {
        self.items_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_of_a_store_count_together() {
        let mut limiter = MemoryLimiter::new(1000, &HostLimits::default());
        assert!(limiter.memory_growing(0, 600, None).unwrap());
        assert!(limiter.memory_growing(0, 300, None).unwrap());
        assert!(!limiter.memory_growing(300, 500, None).unwrap());
        assert_eq!(limiter.bytes(), 900);
        assert!(limiter.take_refused().is_some());
        assert!(limiter.take_refused().is_none());
        assert!(limiter.memory_growing(300, 400, None).unwrap());
        assert!(!limiter.memory_growing(400, usize::MAX, None).unwrap());
    }

    #[test]
    fn tables_are_limited() {
        let mut limiter = MemoryLimiter::new(
            0,
            &HostLimits {
                table_elements_max: 10,
                ..HostLimits::default()
            },
        );
        assert!(limiter.table_growing(0, 10, None).unwrap());
        assert!(!limiter.table_growing(10, 11, None).unwrap());
        assert!(limiter.take_refused().is_some());
    }
}
