//! One plugin's answers about a run of messages.

use crate::{Failure, Verdict};

static PASS: Result<Verdict, Failure> = Ok(Verdict::Pass);

/// Answers about messages, in their order. Nearly every message of every plugin passes, so passing is what an answer that is
/// not kept means: a run that a plugin has nothing against costs no memory.
#[derive(Debug, Clone, Default)]
pub struct Verdicts {
    count: usize,
    /// With their places, ascending.
    others: Vec<(usize, Result<Verdict, Failure>)>,
}

impl Verdicts {
    /// So many messages that pass.
    pub fn passing(count: usize) -> Self {
        Self {
            count,
            others: Vec::new(),
        }
    }

    /// How many answers there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The answer about the next message.
    pub fn push(&mut self, answer: Result<Verdict, Failure>) {
        if !matches!(answer, Ok(Verdict::Pass)) {
            self.others.push((self.count, answer));
        }
        self.count += 1;
    }

    /// Takes the last answer off.
    pub fn pop(&mut self) -> Option<Result<Verdict, Failure>> {
        self.count = self.count.checked_sub(1)?;
        let other = self.others.pop_if(|(at, _)| *at == self.count);
        Some(other.map_or(Ok(Verdict::Pass), |(_, answer)| answer))
    }

    /// Answers about messages that follow.
    pub fn append(&mut self, behind: Self) {
        let before = self.count;
        let others = behind.others.into_iter();
        self.others
            .extend(others.map(|(at, answer)| (before + at, answer)));
        self.count += behind.count;
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Result<Verdict, Failure>> {
        let mut others = self.others.iter().peekable();
        (0..self.count).map(move |at| {
            let other = others.next_if(|(other, _)| *other == at);
            other.map_or(&PASS, |(_, answer)| answer)
        })
    }

    /// Those that do not let their message pass, with their places.
    pub fn others(&self) -> &[(usize, Result<Verdict, Failure>)] {
        &self.others
    }

    /// The same to be kept.
    pub fn into_others(self) -> impl Iterator<Item = (usize, Result<Verdict, Failure>)> {
        self.others.into_iter()
    }
}

impl Extend<Result<Verdict, Failure>> for Verdicts {
    fn extend<I: IntoIterator<Item = Result<Verdict, Failure>>>(&mut self, answers: I) {
        answers.into_iter().for_each(|answer| self.push(answer));
    }
}

impl FromIterator<Result<Verdict, Failure>> for Verdicts {
    fn from_iter<I: IntoIterator<Item = Result<Verdict, Failure>>>(answers: I) -> Self {
        let mut verdicts = Self::default();
        verdicts.extend(answers);
        verdicts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(verdicts: &Verdicts) -> String {
        let kind = |answer: &Result<Verdict, Failure>| match answer {
            Ok(Verdict::Pass) => 'p',
            Ok(Verdict::Drop) => 'd',
            _ => '?',
        };
        verdicts.iter().map(kind).collect()
    }

    fn of(kinds: &str) -> Verdicts {
        let answer = |kind| match kind {
            'p' => Ok(Verdict::Pass),
            _ => Ok(Verdict::Drop),
        };
        kinds.chars().map(answer).collect()
    }

    #[test]
    fn answers_keep_their_places() {
        for text in ["", "p", "d", "pd", "dp", "pppd", "dppd", "ddpp"] {
            let mut verdicts = of(text);
            assert_eq!((kinds(&verdicts), verdicts.len()), (text.to_owned(), text.len()));
            assert_eq!(verdicts.others().len(), text.matches('d').count(), "{text}");
            let mut taken = String::new();
            while let Some(answer) = verdicts.pop() {
                taken.insert(
                    0,
                    if matches!(answer, Ok(Verdict::Pass)) {
                        'p'
                    } else {
                        'd'
                    },
                );
            }
            assert_eq!(taken, text);
        }
    }

    #[test]
    fn what_follows_comes_behind() {
        let mut verdicts = of("pd");
        verdicts.append(Verdicts::passing(3));
        verdicts.append(of("dp"));
        assert_eq!(kinds(&verdicts), "pdpppdp");
    }
}
