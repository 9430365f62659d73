//! A list of operations that is carried out from an empty broker on, and made shorter when something is wrong.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::driver::Driver;
use super::operation::Operation;

/// Operations in order.
#[derive(Debug, Clone)]
pub struct Story(Vec<Operation>);

/// The broker did not do what it should.
#[derive(Debug)]
pub struct Wrong {
    /// After which operations.
    pub story: Story,
    /// What is wrong.
    pub text: String,
}

impl Story {
    /// The story that these bytes stand for.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Operation::list(bytes))
    }

    /// Carries it out; what goes wrong is told with the shortest story that was found to end in it.
    ///
    /// # Errors
    /// The broker did not do what the model says.
    pub fn tell(&self) -> Result<(), Wrong> {
        match run(&self.0) {
            Ok(()) => Ok(()),
            Err(text) => Err(shortened(&self.0, text)),
        }
    }
}

fn run(operations: &[Operation]) -> Result<(), String> {
    let told = catch_unwind(AssertUnwindSafe(|| {
        let mut driver = Driver::new();
        for operation in operations {
            driver
                .step(operation)
                .map_err(|wrong| format!("{operation:?}: {wrong}"))?;
        }
        driver.finish().map_err(|wrong| format!("at the end: {wrong}"))
    }));
    told.unwrap_or_else(|_| Err("a panic".into()))
}

/// Leaves out ever smaller parts, as long as what remains still goes wrong.
fn shortened(operations: &[Operation], mut text: String) -> Wrong {
    let mut kept = operations.to_vec();
    let mut part = kept.len().div_ceil(2);
    while part > 0 {
        let mut at = 0;
        while at < kept.len() {
            let mut fewer = kept.clone();
            fewer.drain(at..(at + part).min(kept.len()));
            match run(&fewer) {
                Ok(()) => at += part,
                Err(wrong) => (kept, text) = (fewer, wrong),
            }
        }
        part /= 2;
    }
    Wrong {
        story: Story(kept),
        text,
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for operation in &self.story.0 {
            writeln!(f, "  {operation:?}")?;
        }
        Ok(())
    }
}
