//! Waiting for an answer on the thread that asked.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use hookwire_hooks::Pending;

struct Asker(Thread);

impl Wake for Asker {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Lets the thread sleep until the answer is there. The host has threads of its own, on which calls go on meanwhile.
pub fn wait_for<A>(mut pending: Pending<A>) -> A {
    let waker = Waker::from(Arc::new(Asker(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match pending.as_mut().poll(&mut context) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_another_thread_is_waited_for() {
        let (sender, receiver) = std::sync::mpsc::channel::<Waker>();
        thread::spawn(move || receiver.recv().unwrap().wake());
        let mut asked = false;
        let pending = Box::pin(std::future::poll_fn(move |context| {
            if std::mem::replace(&mut asked, true) {
                return Poll::Ready(7);
            }
            sender.send(context.waker().clone()).unwrap();
            Poll::Pending
        }));
        assert_eq!(wait_for(pending), 7);
    }
}
