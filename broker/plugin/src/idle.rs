//! What is not in use, and the thread that used each last.

use std::ptr;

thread_local! {
    /// It is somewhere else in each thread.
    static HERE: u8 = const { 0 };
}

/// A stack. What this thread used last is taken first, since it is in this core's cache: to fetch it from that of another core costs
/// more than a call does. Else it is what anybody used last, so that what is at the bottom stays untouched when there is little to do.
#[derive(Debug)]
pub(crate) struct Idle<T>(Vec<(usize, T)>);

impl<T> Idle<T> {
    /// Nothing, or something that no thread has used yet.
    pub(crate) fn new(first: Option<T>) -> Self {
        Self(first.into_iter().map(|first| (0, first)).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, idle)| idle)
    }

    /// This thread does not need it any more.
    pub(crate) fn put(&mut self, idle: T) {
        self.0.push((here(), idle));
    }

    pub(crate) fn take(&mut self) -> Option<T> {
        let here = here();
        let own = self.0.iter().rposition(|(thread, _)| *thread == here);
        let at = own.or_else(|| self.0.len().checked_sub(1))?;
        let (_, idle) = self.0.remove(at);
        Some(idle)
    }

    pub(crate) fn take_all(&mut self) -> Vec<T> {
        self.0.drain(..).map(|(_, idle)| idle).collect()
    }
}

/// Different for any two threads that are there at a time.
fn here() -> usize {
    HERE.with(|here| ptr::from_ref(here).addr())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn each_thread_gets_what_it_used_last() {
        let mut idle = Idle::new(Some("first"));
        idle.put("here");
        thread::scope(|scope| {
            scope.spawn(|| idle.put("there"));
        });
        assert_eq!(idle.take(), Some("here"));
        assert_eq!(idle.take(), Some("there"), "of others the last one");
        assert_eq!(idle.take(), Some("first"));
        assert_eq!(idle.take(), None);
    }
}
